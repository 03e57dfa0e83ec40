import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { sha256File } from '../../../actions/lib/files/digest.ts'
import { parseXml } from '../../../actions/vm-validate/ova/xml.ts'
import { LocalHypervisor, type LocalOptions } from './local-machine.ts'
import { Lines, projectWith, validate } from './project.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function project(scenarios: Record<string, string>, spec = ''): Promise<string> {
  const folder = await projectWith(spec, scenarios)
  folders.push(folder)
  return folder
}

interface Found {
  verdict: string
  subject: { diskSha256: string }
  remarks: string[]
  escapes: unknown[]
  results: {
    name: string
    status: string
    evidence: string[]
    steps: { title: string; status: string; finding: string; remarks: string[] }[]
  }[]
}

/** Runs a project whose verdict is to be failed; gives the error and what was written. */
async function failing(folder: string, hypervisor = new LocalHypervisor(), log = new Lines()) {
  const error = await validate(folder, hypervisor, { log }).then(
    () => {
      throw new Error('the verdict was to be failed')
    },
    (thrown) => thrown as ApplianceError,
  )
  expect(error).toBeInstanceOf(ApplianceError)
  expect(error).toMatchObject({ code: 'check-failed' })
  return { error, found: await verdictOf(folder), log }
}

async function verdictOf(folder: string, variant = ''): Promise<Found> {
  return JSON.parse(await readFile(join(folder, 'build/vm-validate', variant, 'verdict.json'), 'utf8'))
}

/** One scenario of the steps given; the finding of its failing step. */
async function findingOf(steps: string, options: LocalOptions = {}, spec = ''): Promise<string> {
  const folder = await project({ one: `name: One\nsteps:\n${steps}` }, spec)
  const { found } = await failing(folder, new LocalHypervisor(options))
  return found.results.find(({ name }) => name === 'One')!.steps.find(({ status }) => status === 'failed')!
    .finding
}

/** One scenario that is to pass; its steps. */
async function passing(steps: string, options: LocalOptions = {}, spec = '') {
  const folder = await project({ one: `name: One\nsteps:\n${steps}` }, spec)
  await validate(folder, new LocalHypervisor(options))
  return (await verdictOf(folder)).results.find(({ name }) => name === 'One')!.steps
}

const licence = `name: A licence survives a restore
tags: [smoke]
steps:
  - boot
  - run: echo configured > etc/motd
  - port: 80
  - get: { path: /licenses/ABCD, expect: { status: 404 } }
  - post: { path: /licenses, json: { key: ABCD }, expect: { status: 201 } }
  - run: mkdir -p var && cp licenses.json var/backup
  - download: { from: /var/backup, to: backup.tar }
  - rollback
  - run: { command: cat etc/motd, stdout: "^pristine$" }
  - get: { path: /licenses/ABCD, expect: { status: 404 } }
  - upload: { from: backup.tar, to: /licenses.json }
  - get: { path: /licenses/ABCD, expect: { status: 200, json: { key: ABCD } } }
`

describe('a passing verdict', () => {
  test('of the six steps is recorded with the digest of the disk', async () => {
    const folder = await project({ licence })
    const hypervisor = new LocalHypervisor()
    const { outputs, state } = await validate(folder, hypervisor)
    const digest = await sha256File(join(folder, 'disk.qcow2'))
    expect(state).toBe('done')
    expect(outputs.value('verdict')).toBe('passed')
    expect(outputs.value('disk-sha256')).toBe(digest)
    const found = await verdictOf(folder)
    expect(found).toMatchObject({ verdict: 'passed', subject: { diskSha256: digest } })
    expect(found.escapes).toEqual([{ who: 'machine box', to: 'deb.debian.org', how: 'dns', times: 1 }])
    expect(found.results.at(-1)!.steps.map(({ status }) => status)).toEqual(Array(12).fill('passed'))
    const junit = parseXml(await readFile(outputs.path('report'), 'utf8'))
    expect(junit.attributes).toMatchObject({ tests: '22', failures: '0' })
    // One boot for everything; the machine is rolled back only where something had happened to it.
    expect([hypervisor.boots, hypervisor.rollbacks]).toEqual([1, 1])
    expect((await validate(folder, hypervisor)).state).toBe('up-to-date')
  })

  test('every scenario begins at the pristine machine, whatever the one before did', async () => {
    const spoil =
      'name: %\nsteps:\n  - run: { command: cat etc/motd, stdout: "^pristine$" }\n  - run: rm -r etc\n'
    const folder = await project({
      a: spoil.replace('%', 'A'),
      b: spoil.replace('%', 'B'),
      c: spoil.replace('%', 'C'),
    })
    const hypervisor = new LocalHypervisor()
    await validate(folder, hypervisor)
    expect([hypervisor.boots, hypervisor.rollbacks]).toEqual([1, 2])
  })

  test('where the running machine cannot be remembered it is booted anew, and that is said', async () => {
    const folder = await project({ licence })
    const hypervisor = new LocalHypervisor({ snapshots: false })
    await validate(folder, hypervisor)
    expect([hypervisor.boots, hypervisor.rollbacks]).toEqual([2, 0])
    expect((await verdictOf(folder)).remarks).toEqual([expect.stringMatching(/boots the machine anew.*NVMe/)])
  })
})

describe('a failing scenario', () => {
  test('is named with step, expectation and evidence, stops no other, and leaves no record', async () => {
    const folder = await project({
      a: 'name: Broken one\nsteps:\n  - run: echo some words; echo why >&2; exit 3\n  - run: "true"\n',
      b: licence,
    })
    const { error, found } = await failing(folder)
    const out = join(folder, 'build/vm-validate')
    const names = ['step-1.txt', 'film-after-step-001.png', 'screen.png', 'serial.log', 'journal.txt']
    const files = names.map((name) => join(out, 'evidence/broken-one', name))
    expect(error.message).toBe(
      'scenarios/a.yml:3: Broken one: step 1, run echo some words; echo why >&2; exit 3: expected exit status 0, got 3: why',
    )
    expect(error.faults).toEqual([
      { file: 'scenarios/a.yml', line: 3, message: expect.stringMatching(/^Broken one: step 1, run echo/) },
    ])
    expect(error.outputs).toMatchObject({ verdict: 'failed', report: join(out, 'report.xml') })
    const reports = ['summary.md', 'report.html', 'report.xml'].map((name) => join(out, name))
    expect(error.evidence).toEqual([...reports, ...files])
    for (const file of error.evidence) await access(file)
    expect(await readFile(files[0]!, 'utf8')).toContain('some words\n\nwhy')
    expect(await readFile(files[4]!, 'utf8')).toBe('the journal of this boot\n')
    expect(found.verdict).toBe('failed')
    expect(found.results.map(({ status }) => status)).toEqual(['passed', 'passed', 'failed', 'passed'])
    expect(found.results[2]!.steps[1]).toMatchObject({ status: 'skipped', finding: 'an earlier step failed' })
    expect(await readFile(join(out, 'summary.md'), 'utf8')).toContain('evidence/broken-one/screen.png')
    expect(parseXml(await readFile(join(out, 'report.xml'), 'utf8')).attributes.failures).toBe('1')
    await expect(access(join(out, 'stage.json'))).rejects.toThrow()
  })

  test.each([
    [
      'run: echo some words; sleep 30\n    timeout: 1 s',
      ['--- output\n$ echo some words; sleep 30\nsome words\n'],
    ],
    [
      'name: It is licensed\n    post: { path: /nowhere, json: { key: ABCD }, headers: { X-Key: "{{version}}" } }',
      [
        'It is licensed\nexpected status 2xx',
        'kind: post\n',
        'key: ABCD\n',
        'X-Key: 1.0.0\n',
        '{"error":"not found"}',
      ],
    ],
    [
      'name: Named\n    run: { command: cat; exit 1, stdin: given }\n    env: { A: b }',
      ['command: cat; exit 1\n', 'stdin: given\n', 'A: b\n', '--- output\ngiven\n'],
    ],
    ['port: 81', ['port: 81\n', '--- output\n$ ss', '127.0.0.1:5432']],
    ['service: nginx', ['unit: nginx\n', '--- output\n$ systemctl show', 'LoadState=not-found']],
    ['get: /slow\n    timeout: 1 s', ['get /slow took longer', '--- output\nHTTP 200 OK\nhalf of it\n']],
    ['get: /silent\n    timeout: 300 ms', ['get /silent took longer than 0.3 s', 'path: /silent\n']],
    [
      'repeat: { times: 2, steps: [{ run: "echo in here; exit 1" }] }',
      ['command: echo in here; exit 1', 'in here\n'],
    ],
    ['run: echo hush; exit 1\n    sensitive: true', ['expected exit status 0, got 1', '']],
  ])('has its whole input and output in a file: %s', async (step, parts) => {
    const folder = await project({ a: `name: A\nsteps:\n  - ${step}\n` })
    await failing(folder)
    const text = await readFile(join(folder, 'build/vm-validate/evidence/a/step-1.txt'), 'utf8')
    for (const part of parts) expect(text).toContain(part)
    expect(text.startsWith('scenarios/a.yml:3\n')).toBe(true)
    expect(text).not.toContain('hush')
  })

  test('is annotated at the step that failed, also where that is inside of another', async () => {
    const folder = await project({
      a: 'name: A\nsteps:\n  - run: "true"\n  - repeat:\n      times: 2\n      steps:\n        - run: "true"\n        - run: exit 1\n',
    })
    expect((await failing(folder)).error.faults).toMatchObject([{ file: 'scenarios/a.yml', line: 8 }])
  })

  test('a machine that dies in one is booted anew for the next', async () => {
    const folder = await project({
      a: 'name: A\nsteps:\n  - run: touch die\n  - run: sleep 60\n',
      b: 'name: B\nsteps:\n  - get: /health\n',
    })
    const hypervisor = new LocalHypervisor()
    const timer = setInterval(async () => {
      const machine = hypervisor.machine
      if (
        machine &&
        !machine.dead &&
        (await access(join(machine.root, 'die')).then(
          () => true,
          () => false,
        ))
      )
        machine.dieForGood()
    }, 20)
    const { found } = await failing(folder, hypervisor)
    clearInterval(timer)
    expect(found.results.slice(2).map(({ name, status }) => [name, status])).toEqual([
      ['A', 'failed'],
      ['B', 'passed'],
    ])
    expect(hypervisor.boots).toBe(2)
    expect(found.remarks).toEqual([
      expect.stringContaining('a rollback failed, so the machine was booted anew'),
    ])
  })
})

describe('a port', () => {
  test('that is closed is judged closed, one that is open open', async () => {
    const steps = await passing(
      '  - port: { port: 8080, state: closed }\n  - port: 8080\n    not: true\n  - port: 80\n',
    )
    expect(steps[0]!.finding).toBe('port 8080/tcp refuses connections; the guest offers 80/tcp')
  })

  test('that is open fails where it is claimed closed', async () => {
    expect(await findingOf('  - port: { port: 80, state: closed }\n')).toBe(
      'expected port 80 closed, got: port 80/tcp is open',
    )
    expect(await findingOf('  - port: 80\n    not: true\n')).toBe(
      'expected this not to be so, but: port 80/tcp is open',
    )
  })

  test('that is closed fails where it is claimed open, with what does listen', async () => {
    expect(await findingOf('  - port: 5432\n')).toBe(
      'expected port 5432 open, got: port 5432/tcp refuses connections; the guest offers 80/tcp (port 5432 only on 127.0.0.1)',
    )
  })

  test('where a connection proves nothing, the guest is asked, and that is said', async () => {
    const [closed, open] = await passing('  - port: { port: 8080, state: closed }\n  - port: 80\n', {
      connectionProves: false,
    })
    expect([closed!.finding, open!.finding]).toEqual([
      'port 8080/tcp is closed: the guest offers 80/tcp',
      'port 80/tcp is open: the guest offers 80/tcp',
    ])
    expect(closed!.remarks).toEqual([
      expect.stringContaining('because a connection proves nothing with network: user'),
    ])
    expect(await findingOf('  - port: 8080\n', { connectionProves: false })).toContain(
      'port 8080/tcp is closed',
    )
  })

  test('of a guest that is gone is not closed', async () => {
    const folder = await project({
      one: 'name: One\nsteps:\n  - run: touch die\n  - run: sleep 0.2\n  - port: { port: 8080, state: closed }\n',
    })
    const hypervisor = new LocalHypervisor()
    const timer = setInterval(async () => {
      const machine = hypervisor.machine
      if (
        machine &&
        !machine.dead &&
        (await access(join(machine.root, 'die')).then(
          () => true,
          () => false,
        ))
      )
        machine.dieForGood()
    }, 20)
    const { found } = await failing(folder, hypervisor)
    clearInterval(timer)
    expect(found.results.at(-1)!.status).toBe('failed')
  })
})

describe('a step', () => {
  test.each([
    ['run: { command: "echo hello", stdout: ^bye }', 'expected stdout to match /^bye/, got "hello"'],
    ['run: printf "\\033[31m::error::x\\r\\n" >&2; exit 1', 'expected exit status 0, got 1: [31m::error::x'],
    ['run: { command: "exit 4", status: 3 }', 'expected exit status 3, got 4'],
    ['run: "true"\n    not: true', 'expected this not to be so, but: exit status 0'],
    ['get: /missing', 'expected status 2xx, got 404 Not Found: {"error":"not found"}'],
    ['get: /old', 'expected status 2xx, got 302 Found to /health: {}'],
    ['get: { path: /health, expect: { json: { status: bad } } }', 'expected json status "bad", got "ok"'],
    [
      'get: { path: /health, expect: { headers: { Content-Type: text/html } } }',
      'expected header Content-Type to contain "text/html", got "application/json"',
    ],
    [
      'get: { path: /health, expect: { body: "^nothing" } }',
      'expected body to match /^nothing/, got "{\\"status\\":\\"ok\\"}"',
    ],
    [
      'get: { path: /health, port: 8081 }\n    not: true',
      expect.stringMatching(
        /^GET \/health got no answer from port \d+: connection refused, nothing listens there$/,
      ),
    ],
    ['get: /silent\n    timeout: 300 ms', 'get /silent took longer than 0.3 s'],
    ['get: /silent\n    timeout: 300 ms\n    not: true', 'not: get /silent took longer than 0.3 s'],
    ['run: sleep 30\n    timeout: 300 ms', 'run sleep 30 took longer than 0.3 s'],
    [
      'get: { path: /health, expect: { status: 500 } }\n    eventually: 1 s',
      'expected status 500, got 200 OK: {"status":"ok"} (tried 2 times)',
    ],
    ['get: { path: /endless, expect: { json: {} } }', 'expected body to be JSON, got one that does not end'],
    ['download: { from: /nowhere, to: x }', 'there is no /nowhere'],
  ])('%s', async (step, finding) => {
    expect(await findingOf(`  - ${step}\n`)).toEqual(finding)
  })

  test('what is expected not to be so may be so', async () => {
    await passing(`  - run: exit 1
    not: true
  - get: { path: /licenses/X, expect: { status: 200 } }
    not: true
  - download: { from: /nowhere, to: x }
    not: true
`)
  })

  test('comes true eventually', async () => {
    const steps = await passing(`  - run: (sleep 1; touch ready) >/dev/null 2>&1 &
  - run: test -e ready
    eventually: 20 s
`)
    expect(steps[1]!.finding).toMatch(/^exit status 0 \(tried \d+ times\)$/)
  })

  test('takes environment, user, input and saved values', async () => {
    await passing(
      `  - run: { command: 'echo "$WORD-$LOGIN-$(cat)"', stdin: input, stdout: "^a b-nobody-input$" }
    env: { WORD: "a b" }
    as: nobody
  - run: echo "K.1"
    save: key
  - run: { command: echo Kx1, stdout: "^{{key}}" }
    not: true
  - run: { command: "echo {{key}} {{version}} {{greeting}}", stdout: "^{{key}} 1.0.0 hello$" }
  - post: { path: /licenses, json: { key: "{{key}}" } }
  - get: { path: "/licenses/{{key}}", expect: { json: { key: K.1, tags: [a, b] } } }
  - post: { path: /echo, form: { a: 1 2 }, headers: { X-Key: "{{key}}" }, expect: { json: { body: a=1+2, headers: { x-key: K.1 } } } }
`,
      {},
      'variables: { greeting: hello }\n',
    )
  })
})

describe('a secret', () => {
  test('shows nowhere: not in the log, the reports, the verdict or the evidence', async () => {
    process.env.APPLIANCE_TEST_SECRET = 'hush-hush-1'
    const folder = await project(
      {
        one: `name: One
steps:
  - run: echo sensitive-2
    sensitive: true
    save: token
  - run: echo "got {{secret.admin}} and {{token}} and $P"; echo "no {{secret.admin}}" >&2; exit 1
    env: { P: "{{secret.admin}}" }
`,
        two: `name: Two
steps:
  - run: { command: "echo sensitive-3", stdout: ^other$ }
    sensitive: true
`,
      },
      'secrets: { admin: env:APPLIANCE_TEST_SECRET }\n',
    )
    const { error, found, log } = await failing(folder)
    delete process.env.APPLIANCE_TEST_SECRET
    expect(log.masked).toEqual(['hush-hush-1', 'sensitive-2'])
    const out = join(folder, 'build/vm-validate')
    const texts = await Promise.all(
      [...error.evidence, ...['report.xml', 'summary.md', 'verdict.json'].map((name) => join(out, name))].map(
        (path) => readFile(path, 'latin1'),
      ),
    )
    const all = [...texts, error.message, JSON.stringify(found), ...log.lines].join('\n')
    expect(all).not.toMatch(/hush-hush-1|echo sensitive-3|sensitive-3\n/)
    // The command that made the token is in the scenario file for all to read; what it printed is not shown.
    expect(texts[2]).toContain('got *** and *** and ***')
    expect(all).toContain('stdout is not as expected (not shown)')
  })

  test('shows in no form, not in half, and not in what was written before or after it was known', async () => {
    process.env.APPLIANCE_TEST_SECRET = 'p.ss+w"rd$1'
    const long = 'long'.padEnd(55, 'x')
    const token = join(tmpdir(), `appliance-token-${process.pid}`)
    await writeFile(token, 'token-of-file\n')
    const steps = {
      a: `run: { command: "true", stdout: "^{{secret.admin}}$" }`,
      b: `run: { command: 'printf "%s %s %0200d" ${long} "$P" 1', stdout: "^nothing$" }\n    env: { P: "{{secret.admin}}" }`,
      c: `get: { path: /echo, headers: { X-Key: "{{secret.admin}}" }, expect: { json: { headers: { x-key: other } } } }`,
      d: `file: { path: ${token}, contains: ^other$ }\n    sensitive: true`,
      e: `journal: { lacks: journal }\n    sensitive: true`,
      f: `run: cat ${token}\n    sensitive: true\n    save: token`,
      g: `run: echo token-of-file; exit 1`,
    }
    const scenarios = Object.entries(steps).map(([name, step]) => [
      name,
      `name: ${name.toUpperCase()}\nsteps:\n  - ${step}\n`,
    ])
    const folder = await project(
      Object.fromEntries(scenarios),
      `  suites: [{ name: Mine, run: sh mine.sh }]\nsecrets: { admin: env:APPLIANCE_TEST_SECRET }\n`,
    )
    await writeFile(
      join(folder, 'mine.sh'),
      `cat >"$APPLIANCE_REPORTS/a.xml" <<XML\n<testsuite><testcase name='login[$(printf %s "$APPLIANCE_SECRET_ADMIN" | sed 's/"/\\&quot;/g')]'><failure message='no'/></testcase></testsuite>\nXML\n`,
    )
    const files = {
      '/bin/journalctl': '#!/bin/sh\necho "Nov 26 box journal[7]: token-of-file"\n',
    }
    const hypervisor = new LocalHypervisor({ files, serial: 'login with p.ss+w"rd$1 and token-of-file\n' })
    const { error, found, log } = await failing(folder, hypervisor)
    delete process.env.APPLIANCE_TEST_SECRET
    await rm(token)
    expect(found.results.map(({ status }) => status).join(' ')).toBe(
      'passed passed failed failed failed failed failed passed failed failed',
    )
    const out = join(folder, 'build/vm-validate')
    const names = await readdir(out, { recursive: true, withFileTypes: true })
    const texts = await Promise.all(
      names
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
    )
    const all = [...texts, error.message, ...log.lines].join('\n')
    expect(all).not.toMatch(/p.{0,3}ss.{0,3}w|w.{0,3}rd.{0,3}\$1/)
    expect([...texts, error.message].join('\n')).not.toContain('token-of-file')
    expect(all).toContain('login[***]')
    expect(all).toContain('login with *** and ***')
    expect(found.results[5]!.steps[0]!.finding).toBe('not as expected (not shown)')
  })

  test('that is not given is a fault before anything boots', async () => {
    const folder = await project({ licence }, 'secrets: { admin: env:APPLIANCE_NOT_SET }\n')
    const hypervisor = new LocalHypervisor()
    await expect(validate(folder, hypervisor)).rejects.toMatchObject({
      code: 'input',
      message: 'secrets.admin: the environment variable APPLIANCE_NOT_SET is not set',
    })
    expect(hypervisor.boots).toBe(0)
  })
})

describe('before anything boots', () => {
  test('all faults of the scenarios are named together', async () => {
    const folder = await project({
      a: `name: A
steps:
  - run: { command: x, stdout: "(" }
  - upload: { from: nothing.tar, to: /x }
  - download: { from: /x, to: ../x }
  - upload: { from: scenarios, to: /x }
`,
    })
    const hypervisor = new LocalHypervisor()
    const error = await validate(folder, hypervisor).catch((thrown) => thrown as ApplianceError)
    expect((error as ApplianceError).message.split('\n')).toEqual([
      expect.stringMatching(/^scenarios\/a\.yml:3: stdout: \/\(\/ is no regular expression: /),
      expect.stringMatching(/^scenarios\/a\.yml:4: there is no nothing\.tar to upload: /),
      expect.stringMatching(/^scenarios\/a\.yml:5: download to \.\.\/x: /),
    ])
    expect(hypervisor.boots).toBe(0)
  })

  test('a scenario or tag that nobody knows is a fault', async () => {
    const folder = await project({ licence })
    const inputs = { scenario: 'A licence survives a restor', tags: 'smok' }
    await expect(validate(folder, new LocalHypervisor(), { inputs })).rejects.toMatchObject({
      code: 'input',
      message:
        'there is no scenario or suite "A licence survives a restor"; did you mean A licence survives a restore?\nnothing is tagged smok; did you mean smoke?',
    })
  })

  test('only what was asked for runs, which vouches for nothing', async () => {
    const folder = await project({
      a: 'name: A\ntags: [slow]\nsteps:\n  - run: exit 1\n',
      b: 'name: B\ntags: [smoke]\nsteps:\n  - run: "true"\n  - run: exit 1\n    tags: [slow]\n',
    })
    await validate(folder, new LocalHypervisor(), { inputs: { tags: 'smoke' } })
    await expect(access(join(folder, 'build/vm-validate/stage.json'))).rejects.toThrow()
    const { results } = await verdictOf(folder, 'selected')
    expect(results.map(({ name }) => name)).toEqual(['The machine', 'B'])
    expect(results[1]!.steps[1]!.status).toBe('skipped')
  })
})

describe('the machine itself', () => {
  const systemctl = (unit: string) => `#!/bin/sh
case "$1" in
  is-system-running) echo degraded; exit 1 ;;
  show) printf '${unit}' ;;
  list-units) echo 'broken.service loaded failed failed Broken' ;;
esac
`
  test('whose first boot failed is a failure with its journal, and no scenario runs', async () => {
    const folder = await project({ licence })
    const files = {
      '/bin/systemctl': systemctl('LoadState=loaded\\nActiveState=failed\\nResult=exit-code\\n'),
      '/bin/journalctl': '#!/bin/sh\necho "make-secrets.sh: no entropy"\n',
    }
    const { error, found } = await failing(folder, new LocalHypervisor({ files }))
    expect(found.results.map(({ name }) => name)).toEqual(['The machine'])
    expect(found.results[0]!.steps[0]!.finding).toBe(
      'the first boot failed (exit-code): make-secrets.sh: no entropy',
    )
    expect(await readFile(error.evidence[2]!, 'utf8')).toContain('make-secrets.sh: no entropy')
  })

  test('with failed units is a failure of the check of that name, unless the spec says why not', async () => {
    const folder = await project({ licence })
    const files = {
      '/bin/systemctl': systemctl('LoadState=not-found\\n'),
      '/bin/journalctl': '#!/bin/sh\necho "Nov 26 box broken[7]: no space left"\n',
    }
    const { found } = await failing(folder, new LocalHypervisor({ files }))
    expect(found.results[1]!.steps[0]).toMatchObject({
      title: 'failed-units: no unit has failed',
      finding: 'broken.service has failed: no space left',
    })
    const excused = await project({ licence })
    const spec = await readFile(join(excused, 'appliance.yml'), 'utf8')
    await writeFile(
      join(excused, 'appliance.yml'),
      spec.replace('without: {', 'without: { failed-units: it is known to fail,'),
    )
    await validate(excused, new LocalHypervisor({ files }))
    expect((await verdictOf(excused)).results[1]!.steps[0]).toMatchObject({
      status: 'skipped',
      finding: 'left out by the spec: it is known to fail',
    })
  })

  test('must offer the declared ports and no other', async () => {
    const ss = (ports: string[]) =>
      `#!/bin/sh\nprintf '%s\\n' ${ports.map((port) => `'tcp LISTEN 0 128 *:${port} *:*'`).join(' ')}\n`
    const folder = await project({ licence }, '  listens: [22/tcp, 80/tcp]\n')
    await validate(folder, new LocalHypervisor({ files: { '/bin/ss': ss(['22', '80']) } }))
    await rm(join(folder, 'build'), { recursive: true })
    const { found } = await failing(
      folder,
      new LocalHypervisor({ files: { '/bin/ss': ss(['22', '80', '3306']) } }),
    )
    expect(found.results[1]!.steps[1]!.finding).toBe(
      'something listens on 3306/tcp, which is not declared (validate.listens)',
    )
  })
})

test('an interruption is no verdict', async () => {
  const folder = await project({ one: 'name: One\nsteps:\n  - run: sleep 60\n' })
  const stop = new AbortController()
  const hypervisor = new LocalHypervisor()
  setTimeout(() => stop.abort(), 800)
  await expect(validate(folder, hypervisor, { signal: stop.signal })).rejects.toMatchObject({
    name: 'AbortError',
  })
  await expect(access(join(folder, 'build/vm-validate/verdict.json'))).rejects.toThrow()
  await expect(access(hypervisor.machine!.folder)).rejects.toThrow()
})
