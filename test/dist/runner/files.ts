import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The files that one step writes for the runner. @see https://docs.github.com/actions/reference/workflow-commands */
export class StepFiles {
  readonly #folder: string
  static readonly names = ['OUTPUT', 'ENV', 'PATH', 'STATE', 'STEP_SUMMARY'] as const

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async in(folder: string): Promise<StepFiles> {
    for (const name of StepFiles.names) await writeFile(join(folder, name), '')
    return new StepFiles(folder)
  }

  get environment(): Record<string, string> {
    return Object.fromEntries(StepFiles.names.map((name) => [`GITHUB_${name}`, join(this.#folder, name)]))
  }

  async map(name: 'OUTPUT' | 'ENV' | 'STATE'): Promise<Record<string, string>> {
    return assignments(await readFile(join(this.#folder, name), 'utf8'))
  }

  async paths(): Promise<string[]> {
    return (await readFile(join(this.#folder, 'PATH'), 'utf8')).split('\n').filter(Boolean)
  }

  /** What is over 1 MiB the runner drops whole. */
  async summary(): Promise<string> {
    const text = await readFile(join(this.#folder, 'STEP_SUMMARY'), 'utf8')
    return Buffer.byteLength(text) > 1 << 20 ? '' : text
  }
}

/** `name=value`, and `name<<word`, the value's lines, `word`. */
export function assignments(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  const lines = text.split('\n')
  while (lines.length > 0) {
    const line = lines.shift()!
    if (line === '') continue
    const [, name, word] = /^([^=]+?)<<(.+)$/.exec(line) ?? []
    if (name !== undefined) {
      const end = lines.indexOf(word!)
      if (end < 0) throw new Error(`the value of ${name} has no end (${word})`)
      found[name] = lines
        .splice(0, end + 1)
        .slice(0, -1)
        .join('\n')
      continue
    }
    const [, key, value] = /^([^=]+)=(.*)$/.exec(line) ?? []
    if (key === undefined) throw new Error(`neither name=value nor name<<word: ${line}`)
    found[key] = value!
  }
  return found
}
