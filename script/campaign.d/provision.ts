import { mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { writeJson } from '../../actions/lib/files/atomic.ts'
import { enter } from '../../actions/lib/network/enter.ts'
import { ending, launch } from '../../actions/lib/process/command.ts'
import { seeded } from '../../test/fixtures/campaign/random.ts'
import { smallDisk } from '../../test/fixtures/small-disk.ts'

/**
 * Provisioning killed at random instants, in the middle of steps and of layers: the next run goes on, and in the end
 * the disk is, file for file, that of a run that nobody killed.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '6' },
    /** Stops after so many minutes, to be gone on with. */
    minutes: { type: 'string', default: '600' },
  },
})
const [kills, seed, minutes] = [values.kills, values.seed, values.minutes].map(Number) as [
  number,
  number,
  number,
]
const end = performance.now() + minutes * 60_000
const late = () => performance.now() > end

/** What differs between any two runs, with or without a kill. */
const differs =
  /\.\/((var\/)?tmp\/systemd-private-|etc\/machine-id|etc\/ssh\/ssh_host_|var\/lib\/systemd\/(random-seed|timers|catalog|linger)|var\/lib\/systemd\/credential|var\/lib\/dbus|var\/log\/|var\/cache\/|var\/lib\/apt\/|var\/lib\/private|root\/\.ssh\/|etc\/\.pwd\.lock|etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$|boot\/grub\/grubenv)/

interface State {
  seed: number
  /** Of the kills so far, those that a finished round has shown to be harmless. */
  killed: number
  /** Kills of the round that is not finished. */
  pending: number
  rounds: number
  /** Milliseconds of the run that nobody killed. */
  whole: number
}

const folder = join(tmpdir(), `appliance-campaign-provision-${seed}`)
const scratch = join(folder, 'tmp')
const stateFile = join(folder, 'state.json')
const before = await readFile(stateFile, 'utf8').then(
  (text) => JSON.parse(text) as State,
  () => undefined,
)
if (before && before.killed < kills) console.log(`going on after ${before.killed + before.pending} kills`)
else await rm(folder, { recursive: true, force: true })
await smallDisk()

/** One run, killed after so many ms. Gives the ms it took, or undefined when it was killed. */
async function once(project: string, killAfter?: number): Promise<number | undefined> {
  for (const path of [project, scratch]) await mkdir(path, { recursive: true })
  const [command, ...args] = [
    ...enter(),
    process.execPath,
    '--no-warnings',
    resolve('test/fixtures/campaign/provision-once.ts'),
    project,
  ] as string[] as [string, ...string[]]
  const began = performance.now()
  // What a killed run leaves goes with the campaign's folder.
  const child = launch(command, args, { env: { TMPDIR: scratch } }, ['ignore', 'ignore', 'pipe'])
  let said = ''
  child.stderr!.on('data', (text) => {
    said += text
  })
  const ended = ending(child, command)
  if (killAfter !== undefined) {
    const over = await Promise.race([ended, pause(killAfter, 'alive' as const)])
    if (over === 'alive') {
      child.kill('SIGKILL')
      await ended
      return undefined
    }
  }
  const status = await ended
  if (status !== 0) throw new Error(`a run that nobody killed failed (${status}): ${said.slice(-2000)}`)
  return performance.now() - began
}

const listing = async (project: string) =>
  (await readFile(join(project, 'listing'), 'utf8')).split('\n').filter((line) => line && !differs.test(line))

const state: State =
  before && before.killed < kills
    ? before
    : { seed, killed: 0, pending: 0, rounds: 0, whole: (await once(join(folder, 'whole')))! }
await writeJson(stateFile, state)
const { whole } = state
const right = await listing(join(folder, 'whole'))
console.log(`never killed: ${(whole / 1000).toFixed(0)} s, ${right.length} files and folders`)

const faults: string[] = []
const killed = () => state.killed + state.pending
while (state.killed < kills && faults.length === 0 && !late()) {
  const project = join(folder, `round-${state.rounds}`)
  // Each round has numbers of its own, so that one that was stopped goes on with those not yet used.
  const random = seeded(seed * 1000 + state.rounds)
  for (let used = 0; used < state.pending; used++) random()
  if (state.pending === 0) await rm(project, { recursive: true, force: true })
  let finished = false
  while (!finished && !late()) {
    // Anywhere in what a run takes: the later ones, with much done already, often end before their kill.
    const at = killed() < kills ? random() * whole * 0.6 : undefined
    try {
      finished = (await once(project, at)) !== undefined
    } catch (error) {
      faults.push(`after ${killed()} kills: ${(error as Error).message}`)
      break
    }
    if (finished) break
    state.pending++
    await writeJson(stateFile, state)
    console.log(`kill ${killed()} (round ${state.rounds + 1}) after ${(at! / 1000).toFixed(1)} s`)
  }
  if (!finished) break
  const got = await listing(project)
  const there = new Set(got)
  const wanted = new Set(right)
  faults.push(...right.filter((line) => !there.has(line)).map((line) => `missing: ${line}`))
  faults.push(...got.filter((line) => !wanted.has(line)).map((line) => `not in a run never killed: ${line}`))
  if (faults.length > 0) break
  console.log(`round ${state.rounds + 1}: ${state.pending} kills, the same disk`)
  await rm(project, { recursive: true, force: true })
  state.rounds++
  state.killed += state.pending
  state.pending = 0
  await writeJson(stateFile, state)
}
const over = state.killed >= kills || faults.length > 0
for (const fault of faults.slice(0, 40)) console.log(`FAULT ${fault}`)
if (!over) console.log('not over: the same command goes on with it')
console.log(`figure campaign.provision.kills ${state.killed} kills (goal 30)`)
console.log(`figure campaign.provision.different ${faults.length} files (goal 0)`)
if (over && faults.length === 0) await rm(folder, { recursive: true, force: true })
process.exitCode = faults.length === 0 ? 0 : 1
