/**
 * Inputs are declared once: the declaration gives the TypeScript type, the Actions parsing, the command's flags
 * and the README's table, and a test holds `action.yml` to it.
 */
export interface InputDeclaration<T = unknown> {
  readonly kind: 'path' | 'text' | 'flag' | 'choice' | 'names'
  readonly description: string
  /** As the user would write it; an empty string means "not given". */
  readonly default: string
  readonly choices?: readonly string[]
  readonly secret?: boolean
  /** What it names must be there: what that is, in messages, e.g. `disk`. An address is somebody else's. */
  readonly existing?: string
  /** What a text has to look like, and that in words, for messages. */
  readonly like?: { readonly pattern: RegExp; readonly words: string }
  /** Phantom, for inference only. */
  readonly type?: T
}

export type InputDeclarations = Readonly<Record<string, InputDeclaration>>

export type InputValues<I extends InputDeclarations> = {
  readonly [K in keyof I]: I[K] extends InputDeclaration<infer T> ? T : never
}

/** A file or folder, relative to the working directory; undefined when not given. */
export function path(description: string): InputDeclaration<string | undefined> {
  return { kind: 'path', description, default: '' }
}

/** A file that must be there when the stage begins; `what` it is, in messages. Undefined when not given. */
export function file(what: string, description: string): InputDeclaration<string | undefined> {
  return { ...path(description), existing: what }
}

/** The same, but an address will do; a relative file begins at the spec's folder. */
export function fileOrAddress(what: string, description: string): InputDeclaration<string | undefined> {
  return { ...text(description), existing: what }
}

/** Any text; undefined when not given. */
export function text(
  description: string,
  options: Pick<InputDeclaration, 'secret' | 'like'> = {},
): InputDeclaration<string | undefined> {
  return { kind: 'text', description, default: '', ...options }
}

/** `true` or `false`; a bare flag on the command line. */
export function flag(description: string): InputDeclaration<boolean> {
  return { kind: 'flag', description, default: 'false' }
}

/** One of a few words. */
export function choice<const C extends readonly [string, ...string[]]>(
  description: string,
  choices: C,
): InputDeclaration<C[number]> {
  return { kind: 'choice', description, default: choices[0], choices }
}

/** Some names, or all that there are: `all`, or on the command line the bare flag; undefined when not given. */
export function names(description: string): InputDeclaration<readonly string[] | 'all' | undefined> {
  return { kind: 'names', description, default: '' }
}
