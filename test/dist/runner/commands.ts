export interface Annotation {
  level: 'error' | 'warning' | 'notice'
  message: string
  file?: string
  line?: string
  title?: string
}

/**
 * What a step prints, as the runner takes it: commands are obeyed unless they are stopped, secrets become `***`.
 * @see ActionCommandManager.cs of actions/runner
 */
export class StepOutput {
  readonly annotations: Annotation[] = []
  readonly masks: Set<string>
  log = ''
  #stopped: string | undefined
  #rest = ''

  readonly #debug: boolean

  /** @param debug whether the log shows what `::debug::` says */
  constructor(masks: Set<string>, debug: boolean) {
    this.masks = masks
    this.#debug = debug
  }

  /** Takes a piece of output; gives its whole lines as they go to the log. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    return lines.map((line) => this.#line(line))
  }

  end(): void {
    if (this.#rest !== '') this.#line(this.#rest)
    this.#rest = ''
  }

  #line(line: string): string {
    const [, name, properties = '', raw = ''] = /^\s*::([\w-]+)(?: ([^:]*))?::(.*)$/.exec(line) ?? []
    const message = unescaped(raw)
    if (this.#stopped !== undefined) {
      if (name === this.#stopped) this.#stopped = undefined
      else return this.#show(line)
    } else if (name !== undefined) this.#obey(name, properties, message)
    return name === 'add-mask' || (name === 'debug' && !this.#debug) ? '' : this.#show(line)
  }

  #obey(name: string, properties: string, message: string): void {
    switch (name) {
      case 'add-mask':
        if (message !== '') this.masks.add(message)
        return
      case 'stop-commands':
        this.#stopped = message
        return
      case 'error':
      case 'warning':
      case 'notice': {
        const given = Object.fromEntries(properties.split(',').map((one) => one.split(/=(.*)/s)))
        const { file, line, title } = given as Record<string, string>
        const where = {
          ...(file && { file: unescaped(file) }),
          ...(line && { line }),
          ...(title && { title }),
        }
        this.annotations.push({ level: name, message: this.#masked(message), ...where })
        return
      }
      case 'debug':
      case 'group':
      case 'endgroup':
        return
      default:
        throw new Error(`this runner does not know the workflow command ${name}`)
    }
  }

  #show(line: string): string {
    const shown = this.#masked(line)
    this.log += `${shown}\n`
    return shown
  }

  #masked(text: string): string {
    let masked = text
    for (const secret of [...this.masks].sort((a, b) => b.length - a.length))
      masked = masked.replaceAll(secret, '***')
    return masked
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%')
}
