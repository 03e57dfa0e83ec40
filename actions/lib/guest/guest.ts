/** What one talks to inside a machine, over SSH. */
export interface Guest extends AsyncDisposable {
  /** Runs a shell command line with `/bin/sh -c` in the guest. */
  run(commandLine: string, options?: GuestRunOptions): Promise<GuestResult>
  /** Starts a shell command line on a terminal, to be talked to. */
  terminal(commandLine: string, options?: Pick<GuestRunOptions, 'as' | 'env' | 'signal'>): Promise<Terminal>
  /** Copies a file or a whole folder (modes and symlinks kept, `from` itself followed). `to` is the path it gets, parents are made. */
  upload(from: string, to: string, options?: UploadOptions): Promise<void>
  /** Copies a file or folder out of the guest: modes and symlinks kept, a symlink given as `from` followed. */
  download(from: string, to: string, signal?: AbortSignal): Promise<void>
}

export interface GuestRunOptions {
  /** As which user (default: the one we logged in as), through `runuser`/`sudo`. */
  as?: string
  env?: Record<string, string>
  input?: string
  /** Milliseconds. */
  timeout?: number
  signal?: AbortSignal
  /** Return a failing result instead of throwing `guest-failed`. */
  allowFailure?: boolean
  /** Called with output as it arrives. */
  onOutput?: (text: string, stream: 'stdout' | 'stderr') => void
  /** What to call it in messages, when the command line is long or secret. */
  title?: string
}

export interface GuestResult {
  status: number
  stdout: string
  stderr: string
}

export interface UploadOptions {
  owner?: string
  group?: string
  /** It becomes a file of the user we logged in as, who need not be allowed to become root. */
  ownFile?: boolean
  /** Octal, e.g. 0o755; by default the file's own. */
  mode?: number
  /** Of a folder only these, paths within it; the rest is in the guest already. */
  only?: readonly string[]
  /** Symlinks within a folder become copies of what they lead to; those that lead nowhere are left out. */
  follow?: boolean
  signal?: AbortSignal
}

/** A command on a terminal of its own. Disposing of it hangs up. */
export interface Terminal extends AsyncDisposable {
  /** Hears all that is printed from now on. */
  onText(hear: (text: string) => void): void
  type(keys: string): void
  /** Resolves with its exit status. */
  readonly ended: Promise<number>
}
