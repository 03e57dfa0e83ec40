import { mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { writeJson } from '../../actions/lib/files/atomic.ts'
import { oneRun } from '../../test/fixtures/campaign/mirror.ts'

/**
 * The fetching of mirror-deps against an upstream that fails in random ways, and killed at random instants: never a
 * wrong byte accepted, never a good byte lost, always finished by the next run.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '4' },
  },
})
const [runs, kills, seed] = [values.runs, values.kills, values.seed].map(Number) as [number, number, number]

interface State {
  seed: number
  /** Numbers of the runs that are done. */
  done: number[]
  wrong: string[]
  lost: string[]
  unfinished: string[]
  faults: Record<string, number>
}

const stateFile = resolve('build/campaign/mirror.json')
const fresh: State = { seed, done: [], wrong: [], lost: [], unfinished: [], faults: {} }
const before = await readFile(stateFile, 'utf8').then(
  (text) => JSON.parse(text) as State,
  () => fresh,
)
// One that found something, or that is done, is not gone on with.
const over = before.done.length >= runs + kills || before.wrong.length + before.lost.length > 0
const state = before.seed === seed && !over ? before : fresh
if (state.done.length > 0) console.log(`going on after ${state.done.length} runs`)

const folder = join(tmpdir(), `appliance-campaign-${seed}`)
await mkdir(folder, { recursive: true })
const done = new Set(state.done)
const queue = Array.from({ length: runs + kills }, (_, number) => number).filter(
  (number) => !done.has(number),
)
const total = queue.length
const numbers = queue[Symbol.iterator]()
let told = 0

async function worker(): Promise<void> {
  for (const number of numbers) {
    const kill = number >= runs
    const outcome = await oneRun(join(folder, String(number)), seed * 1_000_000 + number, kill)
    for (const what of ['wrong', 'lost', 'unfinished'] as const)
      state[what].push(...outcome[what].map((line) => `run ${number}: ${line}`))
    for (const [fault, count] of outcome.faults) state.faults[fault] = (state.faults[fault] ?? 0) + count
    state.done.push(number)
    if (state.done.length % 20 === 0) await writeJson(stateFile, state)
    const tenth = Math.floor(((state.done.length - done.size) / total) * 10)
    if (tenth > told) console.log(`${state.done.length} of ${runs + kills} runs`)
    told = Math.max(told, tenth)
  }
}

await Promise.all(Array.from({ length: 4 }, worker))
await writeJson(stateFile, state)
const faults = Object.entries(state.faults).sort(([, a], [, b]) => b - a)
console.log('what upstream did:')
for (const [fault, count] of faults) console.log(`  ${String(count).padStart(6)}  ${fault}`)
for (const line of [...state.wrong, ...state.lost, ...state.unfinished]) console.log(`FAULT ${line}`)
console.log(`figure campaign.mirror.runs ${runs} runs (goal 1000)`)
console.log(`figure campaign.mirror.kills ${kills} kills (goal 100)`)
console.log(`figure campaign.mirror.wrong ${state.wrong.length} times (goal 0)`)
console.log(`figure campaign.mirror.lost ${state.lost.length} times (goal 0)`)
console.log(`figure campaign.mirror.unfinished ${state.unfinished.length} times (goal 0)`)
const found = state.wrong.length + state.lost.length + state.unfinished.length
// What went wrong is kept to be looked at.
if (found === 0) await rm(folder, { recursive: true, force: true })
process.exitCode = found === 0 ? 0 : 1
