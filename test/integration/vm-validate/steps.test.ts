import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { LocalHypervisor, type LocalOptions } from './local-machine.ts'
import { projectWith, validate } from './project.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

interface Step {
  title: string
  status: string
  finding: string
}

/** One scenario of the steps given: each step, whatever becomes of it. */
async function stepsOf(steps: string, options: LocalOptions = {}): Promise<Step[]> {
  const folder = await projectWith('', { one: `name: One\nsteps:\n${steps}` })
  folders.push(folder)
  await validate(folder, new LocalHypervisor(options)).catch((thrown: ApplianceError) => {
    if (thrown.code !== 'check-failed') throw thrown
  })
  const verdict = JSON.parse(await readFile(join(folder, 'build/vm-validate/verdict.json'), 'utf8'))
  return verdict.results.find(({ name }: { name: string }) => name === 'One').steps
}

/** The finding of each step; those that failed begin with ✗. */
async function findings(steps: string, options: LocalOptions = {}): Promise<string[]> {
  return (await stepsOf(steps, options)).map(
    ({ status, finding }) => `${{ passed: '', failed: '✗ ', skipped: '– ' }[status]}${finding}`,
  )
}

const file = (text: string) => `#!/bin/sh\n${text}\n`

describe('a command on a terminal', () => {
  const ask =
    'printf "Name: "; read name; stty -echo; printf "Password: "; read word; stty echo; echo; echo "[$name][$word]"; test -t 0'

  test('is answered prompt by prompt', async () => {
    const [one] = await findings(`  - run:
      command: '${ask}'
      answers:
        - { expect: "Name:", answer: box }
        - { expect: "Password:", answer: "{{version}}" }
      stdout: '^\\[box\\]\\[1\\.0\\.0\\]$'
`)
    expect(one).toBe('exit status 0')
  })

  test('that asks something else is told with what it printed', async () => {
    const [one] = await findings(
      "  - run: { command: 'echo nothing to ask; exit 3', answers: [{ expect: Name, answer: x }] }\n",
    )
    expect(one).toBe('✗ expected prompt "Name", got its end (3) after "nothing to ask"')
  })

  test('that waits for ever ends when its time is over', async () => {
    const [one] = await findings(
      "  - run: { command: 'echo first; read x', answers: [{ expect: second, answer: x }] }\n    timeout: 500 ms\n",
    )
    expect(one).toMatch(/^✗ run echo first; read x took longer than 0\.5 s$/)
  })
})

describe('the machine', () => {
  test('keeps what was written when it is switched off and on, and forgets it with a rollback', async () => {
    expect(
      await findings(`  - run: mkdir -p run && touch run/volatile && echo changed >etc/motd
  - power_cut
  - run: "true"
`),
    ).toEqual(['exit status 0', 'the plug is pulled', '✗ the machine is off; boot switches it on'])
    expect(
      await findings(`  - run: mkdir -p run && touch run/volatile && echo changed >etc/motd
  - power_off
  - boot
  - run: test ! -e run/volatile && grep -x changed etc/motd
  - rollback
  - run: grep -x pristine etc/motd
`),
    ).not.toContainEqual(expect.stringMatching(/^✗|^–/))
  })

  test('goes back to any snapshot of this scenario', async () => {
    const steps = `  - run: echo one >etc/motd
  - snapshot: one
  - run: echo two >etc/motd
  - snapshot: two
  - rollback: one
  - run: grep -x one etc/motd
  - rollback: two
  - run: grep -x two etc/motd
  - rollback
  - run: grep -x pristine etc/motd
`
    expect(await findings(steps)).not.toContainEqual(expect.stringMatching(/^✗|^–/))
  })
})

describe('steps in steps', () => {
  test('are repeated, and the first that fails is the finding', async () => {
    const [repeated, tried, failed] =
      await findings(`  - repeat: { times: 3, steps: [{ run: echo x >>count }] }
  - repeat: { steps: [{ run: echo x >>count }, { run: test "$(wc -l <count)" = 6 }] }
    eventually: 30 s
  - repeat:
      times: 2
      steps:
        - run: "true"
        - run: test ! -e again && touch again
`)
    expect(repeated).toBe('1 steps, 3 times')
    expect(tried).toBe('2 steps (tried 3 times)')
    expect(failed).toBe(
      '✗ round 2, run test ! -e again && touch again (line 10): expected exit status 0, got 1',
    )
  })

  test('have the time that those in them have', async () => {
    const [repeated, often] =
      await findings(`  - repeat: { steps: [{ run: "echo x >>tries; test $(wc -l <tries) = 4", timeout: 1 s, eventually: 20 s }] }
  - repeat: { times: 10000, steps: [{ run: exit 3 }] }
`)
    expect(repeated).toBe('1 steps')
    expect(often).toBe('✗ round 1, run exit 3 (line 4): expected exit status 0, got 3')
  })

  test('that are tried again tell what was found, not that the last attempt had no time left', async () => {
    const [one] = await findings('  - run: sleep 0.9; exit 3\n    eventually: 2 s\n')
    expect(one).toBe('✗ expected exit status 0, got 3 (tried 2 times)')
  })

  test('run at the same time, and each that fails is told', async () => {
    const [waited, failed] = await findings(`  - parallel:
      - run: mkfifo pipe; echo word >pipe
      - run: 'until test -p pipe; do sleep 0.05; done; read word <pipe; test "$word" = word'
  - parallel: [{ run: exit 1 }, { run: "true" }, { run: exit 2 }]
`)
    expect(waited).toBe('2 steps at once')
    expect(failed).toMatch(/^✗ run exit 1 \(line 6\): expected exit status 0, got 1; run exit 2 .* got 2$/)
  })
})

describe('what a step saves', () => {
  test('may be a part of what it printed or received', async () => {
    expect(
      await findings(`  - post: { path: /licenses, json: { key: K1 } }
  - get: /licenses/K1
    save: { seats: { json: seats }, second: { json: "tags[1]" }, type: { header: Content-Type } }
  - run: echo "token=abc;"
    save: { token: { match: "token=(\\\\w+)" } }
  - run: test "{{seats}}-{{second}}-{{type}}-{{token}}" = 5-b-application/json-abc
  - get: /licenses/K1
    save: { owner: { json: owner.name } }
`),
    ).toEqual([
      'status 201 Created',
      'status 200 OK',
      'exit status 0',
      'exit status 0',
      '✗ nothing to save as owner: there is no json owner.name',
    ])
  })
})

describe('looking', () => {
  const files = {
    '/bin/systemctl': file(`case "$1 $2" in
  "is-system-running "*) echo running ;;
  "show nginx.service") printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=disabled\\nResult=success\\n' ;;
  "show broken.service") printf 'LoadState=loaded\\nActiveState=failed\\nSubState=failed\\nUnitFileState=enabled\\nResult=exit-code\\n' ;;
  "show journald.service"|"show rescue.service") printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=static\\nResult=success\\n' ;;
  "show volatile.service") printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=enabled-runtime\\nResult=success\\n' ;;
  "list-dependencies --all") printf 'default.target\\n  journald.service\\n' ;;
  "show nightly.timer") printf 'LoadState=loaded\\nActiveState=active\\nUnit=nightly.service\\nNextElapseUSecRealtime=Fri 03:00\\n' ;;
  "start --wait") echo "failed: no space" >&2; exit 1 ;;
  *) printf 'LoadState=not-found\\n' ;;
esac`),
    '/bin/ps': file(
      `echo "  1 root init /sbin/init"; echo "  7 www-data nginx nginx: worker process"; echo "  8 www-data nginx nginx: worker process"`,
    ),
    '/bin/ss': file(
      `echo 'tcp LISTEN 0 128 *:80 *:* users:(("nginx",pid=7,fd=6))'; echo 'tcp LISTEN 0 128 127.0.0.1:5432 *:* users:(("postgres",pid=9,fd=5))'`,
    ),
    '/bin/dpkg-query': file(
      `case "$4" in nginx-light) printf 'status=installed\\nversion=1.22.1-9\\n' ;; *) exit 1 ;; esac`,
    ),
    '/bin/getent': file(`case "$1 $2" in
  "passwd root") echo root:x:0:0:root:/root:/bin/bash ;;
  "shadow root") echo 'root:!*:1::::::' ;;
  "passwd guest") echo guest:x:1000:100::/home/guest:/bin/sh ;;
  "shadow guest") echo 'guest::1::::::' ;;
  *) exit 2 ;; esac`),
    '/bin/journalctl': file(
      `case "$*" in *"-u quiet"*) ;; *) echo "Nov 26 box app[1]: error: it broke"; echo "Nov 26 box kernel: RAS: no hardware" ;; esac`,
    ),
  }
  const cases: [step: string, finding: string | RegExp][] = [
    ['service: nginx', 'nginx.service is active (running), disabled'],
    ['service: { unit: nginx, enabled: true }', '✗ expected start of nginx.service enabled, got disabled'],
    ['service: broken', '✗ expected broken.service to be active, got failed (exit-code) (failed)'],
    ['service: { unit: broken, state: failed, enabled: true }', /^broken\.service is failed/],
    ['service: { unit: journald, enabled: true }', 'journald.service is active (running), static'],
    ['service: { unit: rescue, enabled: true }', '✗ expected start of rescue.service enabled, got static'],
    [
      'service: { unit: volatile, enabled: true }',
      '✗ expected start of volatile.service enabled, got enabled-runtime',
    ],
    [
      'service: { unit: journald, enabled: false }',
      '✗ expected start of journald.service disabled, got static, and something that starts wants it',
    ],
    ['service: ngnix', '✗ there is no unit ngnix.service'],
    ['process: nginx', '2 of nginx'],
    ['process: { program: nginx, count: 1 }', '✗ expected processes of nginx: 1, got 2'],
    ['process: { program: nginx, user: root }', '✗ expected processes of nginx of root: one at least, got 0'],
    [
      '{ process: puma, not: true }',
      'not so, as it should be: expected processes of puma: one at least, got 0',
    ],
    ['listening: 80', 'nginx listens on 80/tcp at *'],
    [
      'listening: { port: 5432, address: 127.0.0.1, program: postgres }',
      'postgres listens on 5432/tcp at 127.0.0.1',
    ],
    ['listening: { port: 80, address: 127.0.0.1 }', '✗ expected address of 80/tcp 127.0.0.1, got *'],
    ['listening: { port: 53, protocol: udp }', '✗ nothing listens on 53/udp'],
    ['package: { package: nginx-light, version: ^1\\.22 }', 'nginx-light 1.22.1-9 is installed'],
    ['package: { package: gcc, installed: false }', 'gcc is not installed'],
    ['package: gcc', '✗ gcc is not installed'],
    [
      'user: { user: root, uid: 0, shell: /bin/bash, password: locked }',
      /^root: uid 0, \/bin\/bash, in root; password locked$/,
    ],
    ['user: { user: root, password: set }', '✗ expected password set, got locked'],
    ['user: { user: guest, password: locked }', '✗ expected password locked, got empty'],
    ['user: { user: guest, password: set }', '✗ expected password set, got empty'],
    ['user: { user: mallory, exists: false }', 'there is no user mallory'],
    ['timer: nightly', 'nightly.timer is set; next: Fri 03:00'],
    ['timer: { timer: nightly, run: true }', '✗ nightly.service failed: failed: no space'],
    ['timer: weekly', '✗ there is no timer weekly.timer'],
    ['journal: {}', /^✗ the journal has Nov 26 box app\[1\]: error: it broke \| Nov 26 box kernel/],
    ['journal: { allow: ["kernel: RAS", it broke] }', 'no such entries'],
    ['journal: { unit: quiet }', 'no such entries'],
    ['journal: { has: it (broke|bent) }', 'the journal has "Nov 26 box app[1]: error: it broke"'],
    ['journal: { lacks: broke }', '✗ the journal has Nov 26 box app[1]: error: it broke'],
    ['time: { jump: 400 d }', /^the guest’s clock says .*, 9600 h 0 min later$/],
  ]
  test('finds what is so, and says what is not', async () => {
    const steps = cases.map(([step]) => `  - ${step.startsWith('{') ? step : `{ ${step} }`}\n`)
    // Each in a scenario of its own, since one that fails ends it.
    const folder = await projectWith(
      '',
      Object.fromEntries(
        steps.map((step, n) => [`s${String(n).padStart(2, '0')}`, `name: S${n}\nsteps:\n${step}`]),
      ),
    )
    folders.push(folder)
    await validate(folder, new LocalHypervisor({ files })).catch(() => {})
    const { results } = JSON.parse(await readFile(join(folder, 'build/vm-validate/verdict.json'), 'utf8'))
    const found = cases.map(([step], n) => {
      const [only] = results.find(({ name }: { name: string }) => name === `S${n}`).steps
      return [step, `${only.status === 'failed' ? '✗ ' : ''}${only.finding}`]
    })
    expect(found).toEqual(
      cases.map(([step, finding]) => [
        step,
        typeof finding === 'string' ? finding : expect.stringMatching(finding),
      ]),
    )
  })

  test('at files: type, mode, owner, content, digest', async () => {
    const steps = `  - run: printf 'secret = 1\\n' >/tmp/appliance-steps-file && chmod 640 /tmp/appliance-steps-file
  - file: { path: /tmp/appliance-steps-file, type: file, mode: "0640", owner: root, contains: ^secret }
  - run: sha256sum </tmp/appliance-steps-file
    save: { digest: { match: "^[0-9a-f]+" } }
  - file: { path: /tmp/appliance-steps-file, sha256: "{{digest}}" }
  - file: { path: /tmp/appliance-steps-nothing, exists: false }
  - file: { path: /tmp, type: folder }
  - file: { path: /tmp/appliance-steps-file, mode: "0600", owner: nobody, contains: nothing }
`
    const found = await findings(steps)
    await rm('/tmp/appliance-steps-file')
    expect(found.slice(0, -1)).not.toContainEqual(expect.stringMatching(/^✗|^–/))
    expect(found.at(-1)).toBe(
      '✗ expected mode 600, got 640; expected owner nobody, got root; expected content to match /nothing/, got "secret = 1"',
    )
  })
})

describe('over HTTP', () => {
  test('cookies are kept in a scenario, files are sent, JSON is judged by place', async () => {
    expect(
      await findings(
        `  - upload: { from: appliance.yml, to: /etc/spec.yml }
  - download: { from: /etc/spec.yml, to: spec.yml }
  - post:
      path: /echo
      multipart: { title: A file, spec: { file: spec.yml, type: text/yaml } }
      expect:
        json_at: { "headers.content-length": "{{missing}}" }
    name: never
    tags: [never]
`.replace('"{{missing}}"', '"12"'),
      ),
    ).toEqual([
      'uploaded appliance.yml to /etc/spec.yml',
      'downloaded /etc/spec.yml',
      expect.stringMatching(/^✗ expected json headers\.content-length "12", got "\d{3}"$/),
    ])
    const [, sent] = await stepsOf(`  - run: cp /etc/hostname upload.txt
  - post:
      path: /echo
      multipart: { title: A title, spec: { file: appliance.yml, filename: spec.yml } }
      expect: { body: 'name=.{2}title[\\s\\S]*A title[\\s\\S]*filename=.{2}spec.yml[\\s\\S]*name: box' }
`)
    expect(sent).toMatchObject({ status: 'passed' })
  })

  test('the certificate that was seen first is the one it must go on showing, or the one that is named', async () => {
    const folder = await projectWith('', {})
    folders.push(folder)
    const make = async (name: string) => {
      const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
      await run('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-subj', `/CN=${name}`, '-days', '30', '-keyout', key, '-out', cert],
      ])
      return { key: await readFile(key), cert: await readFile(cert) }
    }
    const [one, two] = [await make('one'), await make('two')]
    let answers = 0
    const server = createServer(one, (_request, response) => {
      response.setHeader('set-cookie', 'session=abc; Path=/; Secure; HttpOnly')
      response.end(JSON.stringify({ cookie: _request.headers.cookie ?? 'none' }))
      if (++answers === 2) server.setSecureContext(two)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const own = new LocalHypervisor({ tlsPort: port })
    await mkdir(join(folder, 'scenarios'), { recursive: true })
    await writeFile(
      join(folder, 'scenarios/tls.yml'),
      `name: TLS
steps:
  - get: { path: /, tls: true, expect: { json: { cookie: none } } }
  - get: { path: /, certificate: one.pem, expect: { json: { cookie: session=abc } } }
  - get: { path: /, tls: true }
    not: true
  - get: { path: /, tls: true }
    not: true
  - get: { path: /, certificate: two.pem, cookies: false, expect: { json: { cookie: none } } }
  - get: { path: /, certificate: one.pem }
`,
    )
    await validate(folder, own).catch(() => {})
    server.closeAllConnections()
    server.close()
    const { results } = JSON.parse(await readFile(join(folder, 'build/vm-validate/verdict.json'), 'utf8'))
    const { steps } = results.at(-1)
    expect(steps.map(({ status }: Step) => status)).toEqual([
      'passed',
      'passed',
      'passed',
      'passed',
      'passed',
      'failed',
    ])
    expect(steps[2].finding).toContain('port 443 shows another certificate than the one it showed before')
    expect(steps[5].finding).toMatch(
      /another certificate than the one given: sha256:[0-9a-f]{64}, not sha256:/,
    )
  })
})
