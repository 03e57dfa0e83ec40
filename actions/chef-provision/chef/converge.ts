import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { StepOf } from '../../lib/spec/provision-step.ts'
import type { Provisioning, Runner } from '../provisioning.ts'
import { cleanedUp, inGuest, LastLines, type Listener } from '../steps/in-guest.ts'
import {
  CHEF,
  chefCommand,
  chefConfiguration,
  chefFolders,
  docLog,
  handlerRb,
  nodeAttributes,
  nodeJson,
  SECRET,
  soloRb,
  stacktrace,
  TOOLS,
} from './configuration.ts'
import { ChefStream } from './events.ts'
import { eventsHandler } from './events-handler.ts'
import { failureMessage, placeOf, projectPaths } from './failure.ts'
import { ChefReporter, countsOf } from './report.ts'
import { ChefTree } from './tree.ts'
import { knownPath, withVendored } from './vendored.ts'

type Step = StepOf<'chef_solo'> & { title: string }

/** Lines of its tree that a message ends with. */
const SHOWN = 5

/** Gives Chef cookbooks and attributes, converges, and takes everything away again that was Chef's. */
export const chefSolo: Runner<'chef_solo'> = async (given, provisioning) => {
  const { guest, work } = provisioning
  const step = withVendored(given, work)
  const { license, from } = work.project.spec.chef
  if (!license) throw new ApplianceError('internal', 'chef_solo without a licence')
  await prepare(step, provisioning)
  const command = chefCommand(step, license, from)
  if (from === 'tools')
    await guest.run(`mkdir -p ${TOOLS} && mount -o ro /dev/disk/by-id/virtio-tools ${TOOLS}`, {
      signal: work.signal,
    })
  const clean = async () => {
    const unmount = from === 'tools' ? `umount ${TOOLS} && rmdir ${TOOLS}; ` : ''
    await guest
      .run(`${unmount}rm -rf ${CHEF} ${SECRET} /etc/chef /var/chef /root/.chef`, { allowFailure: true })
      .catch(() => {})
  }
  return await cleanedUp(provisioning, clean, async () => {
    const first = await converge(command, step, provisioning)
    if (step.idempotent) {
      const again = await converge(command, step, provisioning)
      refuseUpdates(step, again)
    }
    return { chef: step.sensitive ? countsOf(first.report) : first.report }
  })
}

/** Everything that Chef reads. */
async function prepare(step: Step, { guest, work, env: access }: Provisioning): Promise<void> {
  await guest.run(`rm -rf ${CHEF} && mkdir -p ${CHEF}/cache`, { signal: work.signal })
  // Those of an earlier run would pass for this one's.
  for (const { to } of evidenceFiles(work)) await rm(to, { force: true })
  for (const [from, to] of chefFolders(step))
    await guest.upload(from, to, { owner: 'root', group: 'root', follow: true, signal: work.signal })
  const attributes = step.attributesFile
    ? JSON.parse(await readFile(step.attributesFile, 'utf8'))
    : step.attributes
  const policyName = step.policy
    ? JSON.parse(await readFile(join(step.policy, 'Policyfile.lock.json'), 'utf8')).name
    : undefined
  for (const [to, content] of [
    [soloRb, chefConfiguration(step, policyName)],
    [nodeJson, nodeAttributes(attributes, step.runList, (access.APPLIANCE_MIRROR ?? '').replace(/\/$/, ''))],
    [handlerRb, eventsHandler],
  ] as const) {
    const from = join(work.workDirectory, basename(to))
    await writeFile(from, content)
    await guest.upload(from, to, { mode: 0o600, signal: work.signal })
  }
  if (!step.dataBagSecret) return
  const { env, file } = step.dataBagSecret
  const secret = env === undefined ? await readFile(file!, 'utf8') : (process.env[env] ?? '')
  work.log.mask(secret.trim())
  await guest.run(`umask 077; cat > ${SECRET}`, {
    input: secret,
    signal: work.signal,
    title: 'handing over the secret of the data bags',
  })
}

async function converge(command: string, step: Step, provisioning: Provisioning): Promise<ChefReporter> {
  const reporter = new ChefReporter()
  const listener = chefListener(step, provisioning, reporter)
  const over = () => {
    listener.end()
    provisioning.done = { chef: step.sensitive ? countsOf(reporter.report) : reporter.report }
  }
  try {
    await inGuest(command, step, provisioning, listener)
    over()
  } catch (error) {
    over()
    throw await explained(error, step, reporter, provisioning)
  }
  return reporter
}

/** Takes Chef's events for the report, and shows them as a tree: all that a person gets to see of them. */
function chefListener(
  { sensitive }: Step,
  { work }: Provisioning,
  reporter: ChefReporter,
): Listener & { end(): void } {
  const last = new LastLines(SHOWN)
  const show = (text: string) => {
    // Chef 18 says so to its own small server, several times.
    if (sensitive || text.trim() === 'No key detected') return
    last.add(text)
    work.log.guest(text)
  }
  const tree = new ChefTree(show)
  const stream = new ChefStream((event) => {
    reporter.take(event)
    tree.take(event)
  }, show)
  return {
    hear: (text, from) => (from === 'stdout' ? stream.add(text) : show(text)),
    last: () => [...new Set([...(tree.at ? [tree.at] : []), ...last.lines()])],
    end: () => stream.end(),
  }
}

/** Chef's own words for what went wrong instead of the end of its output, and its files as evidence. */
async function explained(
  thrown: unknown,
  step: Step,
  { failure }: ChefReporter,
  provisioning: Provisioning,
): Promise<unknown> {
  if (!(thrown instanceof ApplianceError) || !['guest-failed', 'timeout'].includes(thrown.code)) return thrown
  // All that Chef wrote down is what a sensitive step keeps to itself.
  const evidence = step.sensitive ? [] : await evidenceOf(provisioning)
  const { code, message, hint } = thrown
  if (code === 'timeout' || !failure)
    return new ApplianceError(code, message, { evidence, ...(hint ? { hint } : {}) })
  const where = await projectPaths(step, knownPath(step, provisioning.work))
  const place = placeOf(failure, where)
  const why = step.sensitive
    ? `Chef failed${place ? ` at ${place}` : ''} (the step is sensitive)`
    : failureMessage(failure, where)
  return new ApplianceError('guest-failed', `${step.title}: ${why}`, { evidence })
}

async function evidenceOf({ guest, work }: Provisioning): Promise<string[]> {
  const files: string[] = []
  for (const { from, to } of evidenceFiles(work)) {
    await mkdir(dirname(to), { recursive: true })
    const there = await guest.run(`test -s ${from}`, { allowFailure: true }).catch(() => undefined)
    if (there?.status !== 0) continue
    await guest.download(from, to, work.signal).then(
      () => files.push(to),
      () => {},
    )
  }
  return files
}

/** Chef's own files in the guest, and where they go here. */
function evidenceFiles({ outDirectory }: Pick<Provisioning['work'], 'outDirectory'>) {
  return [stacktrace, docLog].map((from) => ({ from, to: join(outDirectory, 'evidence', basename(from)) }))
}

/** A recipe that changes something each time it runs will do so at the customer's, too, and hides what did change. */
function refuseUpdates(step: Step, { report }: ChefReporter): void {
  if (report.updated === 0) return
  const shown = step.sensitive ? '(the step is sensitive)' : report.updatedResources.slice(0, 10).join(', ')
  throw new ApplianceError(
    'check-failed',
    `${step.title} is not idempotent: a second run updated ${report.updated} of ${report.resources} resources: ${shown}`,
    { hint: 'Give each of them a guard (not_if, only_if, creates), or leave out idempotent: check.' },
  )
}
