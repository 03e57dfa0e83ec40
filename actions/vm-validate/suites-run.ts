import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import { quote } from '../lib/guest/quote.ts'
import { run } from '../lib/process/command.ts'
import type { Suite } from '../lib/spec/validate.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { serveMachine } from './control.ts'
import type { Course } from './course.ts'
import { folderName, tail } from './evidence.ts'
import { filesLike } from './files-like.ts'
import { casesIn } from './junit-read.ts'
import { report, type StepRun } from './report.ts'
import { hidden } from './secrecy.ts'
import type { ScenarioResult } from './verdict.ts'

/**
 * Runs a suite of the user's own on this computer, in the machine's network, with the machine in its reach: where it is
 * and how to get in are in its environment, and `appliance vm` talks to it. What its JUnit files say is its result; a
 * suite that writes none passes by its exit status.
 */
export async function runSuite(suite: Suite, course: Course): Promise<ScenarioResult> {
  const began = performance.now()
  const { test, signal, log } = course
  const folder = folderName(suite.name, course.folders)
  const runs: StepRun[] = []
  const room = await mkdtemp(join(tmpdir(), 'appliance-suite-'))
  try {
    await test.rewind(signal)
    const reports = join(course.workDirectory, folder, 'reports')
    await mkdir(reports, { recursive: true })
    const socket = join(room, 'vm')
    await using _ = await serveMachine(socket, test, () => {}, signal)
    const env = { ...(await surroundings(room, socket, course)), APPLIANCE_REPORTS: reports, ...suite.env }
    const directory = suite.directory ?? course.project
    // timeout(1) ends all that a suite has started, not only its shell.
    const limit = ['--kill-after=5', String(suite.timeout / 1000)]
    const ended = await run('timeout', [...limit, '/bin/sh', '-c', suite.run], {
      cwd: directory,
      env,
      signal,
      allowFailure: true,
      keep: 4 << 20,
      onOutput: (text) => log.guest(text),
    })
    const files = [
      ...(await filesLike(join(reports, '**/*.xml'))),
      ...(suite.reports ? await filesLike(resolve(directory, suite.reports)) : []),
    ]
    for (const file of files) runs.push(...casesIn(await readFile(file, 'utf8'), relative(directory, file)))
    const output = `${ended.stdout}\n${ended.stderr}`.trim()
    const failed = runs.some(({ result }) => result.status === 'failed')
    if (runs.length === 0 || (ended.status !== 0 && !failed))
      runs.push({
        result: {
          title: suite.run,
          status: ended.status === 0 ? 'passed' : 'failed',
          finding: finding(ended.status, output, suite),
          remarks: runs.length === 0 ? ['it wrote no JUnit file: judged by its exit status'] : [],
          duration: performance.now() - began,
        },
        output,
      })
  } catch (thrown) {
    signal.throwIfAborted()
    const { message } = toApplianceError(thrown)
    runs.push({
      result: {
        title: suite.run,
        status: 'failed',
        finding: message,
        remarks: [],
        duration: performance.now() - began,
      },
    })
  } finally {
    test.touch()
    await rm(room, { recursive: true, force: true })
  }
  return await report({ name: suite.name, kind: 'suite', began, folder }, runs, course)
}

function finding(status: number, output: string, { run, timeout }: Suite): string {
  if (status === 0) return 'exit status 0'
  if (status === 124 || status === 137) return `${run} took longer than ${formatDuration(timeout)}`
  if (status === 127) return `${tail(hidden(output), 1)} (is its program installed on this computer?)`
  return `exit status ${status} of ${run}: ${tail(hidden(output), 1)}`
}

/** What a suite finds in its environment. */
async function surroundings(
  room: string,
  socket: string,
  { test, variables, spec }: Course,
): Promise<Record<string, string>> {
  const { machine } = test
  if (!machine) throw new ApplianceError('no-answer', 'the machine is not running')
  const { login } = test.spec
  const ports = [
    ...new Set([
      22,
      ...(spec.validate.listens ?? []).flatMap((name) =>
        name.endsWith('/tcp') ? [Number.parseInt(name, 10)] : [],
      ),
    ]),
  ]
  const reached = await Promise.all(
    ports.map(async (port) => [`APPLIANCE_PORT_${port}`, await machine.reach(port)] as const),
  )
  const ssh = reached[0]![1]
  const config = join(room, 'ssh_config')
  await writeFile(config, sshConfig(ssh.host, ssh.port, login))
  const web = reached.find(([name]) => /_(80|443)$/.test(name))
  const bin = join(room, 'bin')
  await mkdir(bin)
  await writeFile(
    join(bin, 'appliance'),
    `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(command())} "$@"\n`,
  )
  await chmod(join(bin, 'appliance'), 0o755)
  const named = [...variables].map(([name, value]) => [
    `APPLIANCE_${name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase()}`,
    value,
  ])
  return {
    ...Object.fromEntries(named),
    APPLIANCE_HOST: ssh.host,
    ...Object.fromEntries(reached.map(([name, { port }]) => [name, String(port)])),
    APPLIANCE_SSH_CONFIG: config,
    ...(web ? { APPLIANCE_URL: urlOf(web[0], web[1]) } : {}),
    APPLIANCE_VM: socket,
    PATH: `${bin}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    // Marks the inner process of ours; a suite's `appliance` is one of its own.
    APPLIANCE_INSIDE: '',
  }
}

function urlOf(name: string, { host, port }: { host: string; port: number }): string {
  const tls = name.endsWith('_443')
  return `${tls ? 'https' : 'http'}://${host}${port === (tls ? 443 : 80) ? '' : `:${port}`}/`
}

/** The command beside the bundle that runs now. */
function command(): string {
  const here = dirname(process.argv[1] ?? fileURLToPath(import.meta.url))
  return resolve(here, '../cli/index.js')
}

/** For `ssh -F`: the host `appliance`. @see ssh_config(5) */
export function sshConfig(
  host: string,
  port: number,
  { user, key }: { user: string; key?: string },
  proxy?: string,
): string {
  return `Host appliance ${host}
  HostName ${host}
  Port ${port}
  User ${user}
${key ? `  IdentityFile "${key}"\n  IdentitiesOnly yes\n  IdentityAgent none\n` : ''}${proxy ? `  ProxyCommand ${proxy}\n` : ''}  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
`
}
