import { mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { writeJson } from '../../actions/lib/files/atomic.ts'
import { enter } from '../../actions/lib/network/enter.ts'
import { ending, launch } from '../../actions/lib/process/command.ts'
import {
  type Instant,
  instants,
  type Kind,
  kindOf,
  kinds,
  partsOf,
  type Took,
  took,
} from '../../test/fixtures/campaign/parts.ts'
import { seeded } from '../../test/fixtures/campaign/random.ts'
import { buildExample, exampleFolder } from '../../test/fixtures/example.ts'
import { toolsDiskOf } from '../../test/fixtures/example-root.ts'
import { smallDisk } from '../../test/fixtures/small-disk.ts'

/**
 * Provisioning killed at random instants: while it boots, in the middle of steps (Chef's among them), of layers, of
 * flattening and of pruning. The next run goes on, and in the end the disk is, file for file, that of a run that nobody
 * killed.
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

type Kills = Partial<Record<Kind, number>>

interface State {
  seed: number
  /** Kills so far that a finished round has shown to be harmless. */
  harmless: Kills
  /** Those of the round that is not finished. */
  pending: Kills
  /** Instants of that round that have been used. */
  used: number
  rounds: number
  /** The run that nobody killed. */
  whole: Took[]
}

const sum = (some: Kills) => Object.values(some).reduce((all, count) => all + count, 0)
const add = (a: Kills, b: Kills): Kills =>
  Object.fromEntries(kinds.map((kind) => [kind, (a[kind] ?? 0) + (b[kind] ?? 0)]))

const folder = join(tmpdir(), `appliance-campaign-provision-${seed}`)
const scratch = join(folder, 'tmp')
const stateFile = join(folder, 'state.json')
const before = await readFile(stateFile, 'utf8').then(
  (text) => JSON.parse(text) as State,
  () => undefined,
)
const goesOn = before?.used !== undefined && sum(before.harmless) < kills
if (goesOn) console.log(`going on after ${sum(before.harmless) + sum(before.pending)} kills`)
else await rm(folder, { recursive: true, force: true })
await smallDisk()
await buildExample('mirror-deps')
const tools = await toolsDiskOf(exampleFolder)

/** One run, killed some time. Gives the kind of part in which it was killed; undefined: it came to its end. */
async function once(project: string, kill?: Instant): Promise<Kind | undefined> {
  for (const path of [project, scratch]) await mkdir(path, { recursive: true })
  await rm(join(project, 'parts'), { force: true })
  const [command, ...args] = [
    ...enter(),
    process.execPath,
    '--no-warnings',
    resolve('test/fixtures/campaign/provision-once.ts'),
    project,
    tools,
  ] as string[] as [string, ...string[]]
  // What a killed run leaves goes with the campaign's folder.
  const child = launch(command, args, { env: { TMPDIR: scratch } }, ['ignore', 'ignore', 'pipe'])
  let said = ''
  child.stderr!.on('data', (text) => {
    said += text
  })
  const ended = ending(child, command)
  const aliveAfter = async (milliseconds: number) =>
    (await Promise.race([ended, pause(milliseconds, 'alive' as const)])) === 'alive'
  if (kill !== undefined) {
    let alive = true
    while (alive && !(await partsOf(project)).some(({ name }) => name === kill.part.name))
      alive = await aliveAfter(5)
    if (alive && (await aliveAfter(kill.after))) {
      child.kill('SIGKILL')
      await ended
      // On a busy computer a part may take longer, or the next one have begun.
      return kindOf((await partsOf(project)).at(-1)!.name) ?? kill.part.kind
    }
  }
  const status = await ended
  if (status !== 0) throw new Error(`a run that nobody killed failed (${status}): ${said.slice(-2000)}`)
  return undefined
}

const listing = async (project: string) =>
  (await readFile(join(project, 'listing'), 'utf8')).split('\n').filter((line) => line && !differs.test(line))

async function untouched(): Promise<State> {
  const project = join(folder, 'whole')
  await once(project)
  await rm(join(project, 'layers'), { recursive: true })
  return { seed, harmless: {}, pending: {}, used: 0, rounds: 0, whole: took(await partsOf(project)) }
}

const state: State = goesOn ? before : await untouched()
await writeJson(stateFile, state)
const { whole } = state
const right = await listing(join(folder, 'whole'))
const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`
console.log(
  `never killed: ${right.length} files and folders, ${seconds(whole.reduce((all, { milliseconds }) => all + milliseconds, 0))}`,
)
for (const { name, milliseconds } of whole) console.log(`  ${name}: ${seconds(milliseconds)}`)

const faults: string[] = []
const killed = () => sum(state.harmless) + sum(state.pending)
while (sum(state.harmless) < kills && faults.length === 0 && !late()) {
  const project = join(folder, `round-${state.rounds}`)
  // Each round has instants of its own, so that one that was stopped goes on with those not yet used.
  const round = instants(seeded(seed * 1000 + state.rounds), whole)
  if (state.used === 0) await rm(project, { recursive: true, force: true })
  let finished = false
  while (!finished && !late()) {
    const at = killed() < kills ? round[state.used] : undefined
    try {
      const when = await once(project, at)
      finished = when === undefined
      if (when) {
        state.pending[when] = (state.pending[when] ?? 0) + 1
        console.log(
          `kill ${killed()} (round ${state.rounds + 1}): ${seconds(at!.after)} after the beginning of ${at!.part.name}: ${when}`,
        )
      }
    } catch (error) {
      faults.push(`after ${killed()} kills: ${(error as Error).message}`)
      break
    }
    if (finished) break
    state.used++
    await writeJson(stateFile, state)
  }
  if (!finished) break
  const got = await listing(project)
  const there = new Set(got)
  const wanted = new Set(right)
  faults.push(...right.filter((line) => !there.has(line)).map((line) => `missing: ${line}`))
  faults.push(...got.filter((line) => !wanted.has(line)).map((line) => `not in a run never killed: ${line}`))
  if (faults.length > 0) break
  console.log(`round ${state.rounds + 1}: ${sum(state.pending)} kills, the same disk`)
  await rm(project, { recursive: true, force: true })
  state.rounds++
  state.harmless = add(state.harmless, state.pending)
  state.pending = {}
  state.used = 0
  await writeJson(stateFile, state)
}
const over = sum(state.harmless) >= kills || faults.length > 0
for (const fault of faults.slice(0, 40)) console.log(`FAULT ${fault}`)
if (!over) console.log('not over: the same command goes on with it')
console.log(`killed in: ${kinds.map((kind) => `${kind} ${state.harmless[kind] ?? 0}`).join(', ')}`)
console.log(`figure campaign.provision.kills ${sum(state.harmless)} kills (goal 30)`)
console.log(`figure campaign.provision.different ${faults.length} files (goal 0)`)
if (over && faults.length === 0) await rm(folder, { recursive: true, force: true })
process.exitCode = faults.length === 0 ? 0 : 1
