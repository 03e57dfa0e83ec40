import type { BootAction } from './boot-command.ts'

/** What a definition asks for, in our units. Every size is in bytes, every time in seconds. */
export interface Recipe {
  readonly cpus: number
  readonly memory: number
  readonly videoMemory: number
  readonly disks: { readonly count: number; readonly size: number }
  /** VirtualBox's name of the operating system, e.g. `Debian_64`, and how wide its words are by that. */
  readonly osType: string | undefined
  readonly bits: 32 | 64
  /** `undefined` for a machine made without an installer. */
  readonly iso: IsoImage | undefined
  readonly boot: BootSequence
  readonly kickstart: Kickstart | undefined
  readonly ssh: SshLogin
  /** `%p` password, `%u` user, `%f` script; not for root. */
  readonly sudoCommand: string
  /** Empty: ACPI's power button alone. */
  readonly shutdownCommand: string
  readonly postinstall: Postinstall
  readonly floppy: readonly RecipeFile[]
  readonly hypervisors: Readonly<Record<'virtualbox' | 'kvm' | 'vmfusion', HypervisorBlock>>
}

export interface IsoImage {
  readonly file: string
  readonly source: string | undefined
  readonly digests: readonly { readonly algorithm: IsoDigest; readonly hex: string }[]
  /** How a person gets the image. */
  readonly instructions: string | undefined
}

export type IsoDigest = 'md5' | 'sha1' | 'sha256' | 'sha512'

export interface BootSequence {
  /** From power-on to the first key. */
  readonly wait: number
  readonly sequence: readonly string[]
  readonly keys: readonly BootAction[]
}

/** A file of the definition that reaches the machine. */
export interface RecipeFile {
  /** Its name there (in a URL, on the floppy, in the home directory): without folders for all but kickstarts. */
  readonly name: string
  /** Relative to the definition's folder, or absolute. */
  readonly path: string
  /** Of a rendered template (`.erb`); `undefined`: the file's bytes as they are. */
  readonly text: string | undefined
}

export interface Kickstart {
  /** Each once. Served for as long as the machine runs. */
  readonly files: readonly RecipeFile[]
  /** Names in the order in which VeeWee expected them to be fetched, with how long it waited; some come twice. */
  readonly expected: readonly { readonly name: string; readonly timeout: number }[]
  /** The port that is tried first. */
  readonly port: number
}

export interface SshLogin {
  readonly user: string
  readonly password: string | undefined
  /** A private key's file. */
  readonly key: string | undefined
  readonly guestPort: number
  readonly hostPort: number
  readonly timeout: number
}

export interface Postinstall {
  /** Wraps every script: `sudo ./before ./script`. */
  readonly before: RecipeFile | undefined
  readonly files: readonly (RecipeFile & { readonly skipped: boolean })[]
  /** For `.veewee_params`. */
  readonly parameters: Readonly<Record<string, string>>
  readonly timeout: number
}

export interface HypervisorBlock {
  readonly options: Readonly<Record<string, string>>
  readonly extradata: string | undefined
}
