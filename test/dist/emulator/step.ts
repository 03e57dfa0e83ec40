import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'

const root = resolve(import.meta.dirname, '../../..')
/** A real Node 24, as `using: node24` gets it. */
export const node24 = join(root, 'node_modules/node/bin/node')
export const dist = join(root, 'dist')

export interface StepResult {
  status: number | null
  stdout: string
  stderr: string
  outputs: Record<string, string>
  summary: string
  milliseconds: number
}

/** A workspace on a runner, in which one step after the other runs an action from `dist/` as the runner would. */
export class Workspace implements AsyncDisposable {
  readonly directory: string
  readonly #files: string
  readonly #environment: Record<string, string>
  #steps = 0

  private constructor(base: string, environment: Record<string, string>) {
    this.directory = join(base, 'workspace')
    this.#files = join(base, 'runner')
    this.#environment = environment
  }

  /** @param environment of the services, and whatever else the runner would set */
  static async create(environment: Record<string, string> = {}): Promise<Workspace> {
    const base = await mkdtemp('/tmp/appliance-dist-')
    const workspace = new Workspace(base, environment)
    await mkdir(workspace.directory)
    await mkdir(join(workspace.#files, 'temp'), { recursive: true })
    return workspace
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts)
  }

  /** Runs an action with `inputs`; the environment is the runner's alone, nothing of ours leaks in. */
  async run(
    action: string,
    inputs: Record<string, string> = {},
    extra: Record<string, string> = {},
    during: (child: ReturnType<typeof spawn>) => void = () => {},
  ): Promise<StepResult> {
    const step = join(this.#files, `step-${++this.#steps}`)
    await mkdir(step)
    const output = join(step, 'output')
    const summary = join(step, 'summary')
    await writeFile(output, '')
    await writeFile(summary, '')
    const env = {
      PATH: process.env.PATH!,
      HOME: this.#files,
      APPLIANCE_CACHE: 'off',
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: this.directory,
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_TYPE: 'branch',
      RUNNER_TEMP: join(this.#files, 'temp'),
      ...this.#environment,
      // As the runner names them: upper case, blanks become underscores, hyphens stay.
      ...Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [
          `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
          value,
        ]),
      ),
      ...extra,
    }
    const began = performance.now()
    const child = spawn(node24, [join(dist, action, 'index.js')], {
      cwd: this.directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    during(child)
    const [stdout, stderr, status] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      new Promise<number | null>((done) => child.once('close', done)),
    ])
    return {
      status,
      stdout,
      stderr,
      outputs: outputsIn(await readFile(output, 'utf8')),
      summary: await readFile(summary, 'utf8'),
      milliseconds: performance.now() - began,
    }
  }

  /** On a laptop, before the commit: in a workflow no lock is written. Nothing but the lock is left. */
  async lock(folder = '.', environment: Record<string, string> = {}): Promise<void> {
    const args = [join(dist, 'cli/index.js'), 'lock', '--working-directory', this.path(folder)]
    await run(node24, args, { env: { APPLIANCE_CACHE: 'off', GITHUB_ACTIONS: undefined, ...environment } })
    await rm(this.path(folder, 'build'), { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(resolve(this.directory, '..'), { recursive: true, force: true })
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

/** `name<<word`, the value's lines, `word`: the file commands of the runner. */
function outputsIn(text: string): Record<string, string> {
  const outputs: Record<string, string> = {}
  for (const [, name, , value] of text.matchAll(/^(.+?)<<(\S+)\n([\s\S]*?)\n\2$/gm)) outputs[name!] = value!
  return outputs
}
