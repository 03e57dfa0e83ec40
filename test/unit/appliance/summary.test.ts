import { describe, expect, test } from '@jest/globals'
import {
  type Before,
  type BuildSummary,
  buildSummary,
  rowOf,
  stageSummary,
} from '../../../actions/appliance/summary.ts'
import type { Execution } from '../../../actions/lib/stage/execute.ts'
import type { StageName } from '../../../actions/lib/stage/stage.ts'

/** A stage that is done, with files of these sizes (bytes). */
function built(stage: StageName, sizes: Record<string, number>, state: Execution['state'] = 'done') {
  const outputs = Object.fromEntries(
    Object.entries(sizes).map(([name, bytes]) => [name, { path: name, bytes, sha256: '' }]),
  )
  const execution = { state, record: { stage, outputs }, milliseconds: 83_000 } as unknown as Execution
  return { title: stage, execution }
}

const before: Before = {
  sizes: { 'chef-provision': { disk: 1_000_000 }, 'ova-pack': { ova: 300_000_000 } },
  since: 'the last build',
}
const stages = [
  built('mirror-deps', { lock: 5000 }, 'up-to-date'),
  built('chef-provision', { disk: 1_000_000, report: 700 }),
  built('ova-pack', { ova: 301_200_000, report: 5000 }),
]

/** The table of stages that are done. */
function tableOf(done: typeof stages, { since, ...sizes }: Before, more: Partial<BuildSummary> = {}): string {
  const rows = done.map((stage) => rowOf(stage, { since, ...sizes }))
  return buildSummary({ title: 'Tiny 1.2.3', rows, since, ...more })
}

describe('the table of a build', () => {
  test('has a row a stage, its files, and how they changed; what is for reading is no result', () => {
    expect(tableOf(stages, before)).toBe(`## Tiny 1.2.3

| | stage | time | result (change since the last build) |
|---|---|---:|---|
| ✅ | mirror-deps | up to date |  |
| ✅ | chef-provision | 1 min 23 s | disk 1.0 MB (as before) |
| ✅ | ova-pack | 1 min 23 s | ova 301 MB (+1.2 MB) |
`)
  })

  test('says nothing of a change where it is not known, or nothing was done', () => {
    const unknown = tableOf(stages, { ...before, sizes: {} })
    expect(unknown).toMatch(/\| result \|\n[\s\S]*\| ova 301 MB \|/)
    const idle = [built('ova-pack', { ova: 300_000_001 }, 'up-to-date')]
    expect(tableOf(idle, before)).toContain('| up to date | ova 300 MB |')
  })

  test('shows less as less, and since which release', () => {
    const smaller = [built('ova-pack', { ova: 299_000_000 })]
    const table = tableOf(smaller, { ...before, since: 'v1.2.2' })
    expect(table).toMatch(/\(change since v1\.2\.2\)[\s\S]*ova 299 MB \(−1\.0 MB\)/)
  })

  test('has what failed first, on one line, whatever the message holds', () => {
    const failed = { title: 'vm-validate', message: 'no answer:\n<b>`x`|y' }
    const [heading, , , , first] = tableOf(stages, before, { failed }).split('\n')
    expect(heading).toBe('## ❌ Tiny 1.2.3')
    expect(first).toBe('| ❌ | vm-validate | | no answer: &#60;b&#62;&#96;x&#96;&#124;y |')
  })

  test('links what has an address', () => {
    const links = { 'run 7': 'https://example.com/7', 'the OVA': undefined }
    const [, , line] = tableOf(stages, before, { links }).split('\n')
    expect(line).toBe('[run 7](https://example.com/7)')
  })
})

test("a stage's part is one line, with its reports folded away beneath", () => {
  const texts = ['### chef-provision\n\n| a |\n', '## 3 `of` 4\n\nmore\n', '| step |\n']
  expect(stageSummary(built('ova-pack', { ova: 301_000_000 }), before, texts.slice(1), 'https://x/1')).toBe(
    `### ova-pack: 1 min 23 s, ova 301 MB (+1.0 MB) since the last build, [artifact](https://x/1)

<details><summary>3 of 4</summary>

more

</details>

<details><summary>What it did</summary>

| step |

</details>
`,
  )
  expect(stageSummary(stages[1]!, before, texts.slice(0, 1))).toBe(
    `### chef-provision: 1 min 23 s, disk 1.0 MB (as before)

<details><summary>What it did</summary>

| a |

</details>
`,
  )
})
