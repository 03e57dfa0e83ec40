/**
 * What a machine is plugged into during stages 2–5: nothing but the mirror (DESIGN §6).
 *
 * `private`: our own network namespace with a tap device, dnsmasq and nftables; a closed port really refuses.
 * `user`: QEMU's user network with `restrict=on`, for computers that allow no namespaces.
 */
export interface MachineNetwork extends AsyncDisposable {
  readonly kind: 'private' | 'user'
  /** Base address of the mirror as the guest sees it, without a final slash: `http://mirror.internal`. */
  readonly mirrorUrl: string
  /** Our own address as the guest sees it, where it may reach servers of ours; undefined where only the mirror is let in. */
  readonly hostAddress?: string
  /** Makes one more plug and says how QEMU is to be connected to it. */
  plug(machine: PluggedMachine): Promise<Plug>
  /** Who tried to reach something that is not here, so far; sorted. */
  escapes(): Promise<Escape[]>
  /** What is tried while `work` goes on is tried during `title`; absent where nobody keeps account of that. */
  during?<T>(title: string, work: () => Promise<T>): Promise<T>
  /**
   * Commands for root in a guest that has just booted, without which the network cannot know what it tries to reach;
   * they last until it shuts down, and leave nothing on its disk. undefined: not needed.
   */
  readonly welcome?: string
}

export interface PluggedMachine {
  name: string
  mac: string
  /** Guest ports to reach, for `user`. */
  ports: readonly number[]
  /** Of a machine that goes on where it left off, and asks for none. */
  address?: string
}

export interface Plug extends AsyncDisposable {
  /** Arguments for QEMU's `-netdev`, with id `net0`. */
  readonly netdev: string[]
  /** The guest's address, or undefined while it has none. */
  address(): Promise<string | undefined>
  reach(port: number): Promise<{ host: string; port: number; connectionProves: boolean }>
}

/** One thing that somebody in there asked for and that is not there. */
export interface Attempt {
  /** `machine provision`, or {@link COMPUTER}. */
  who: string
  /** `deb.debian.org` or `192.0.2.7`. */
  to: string
  /** `dns`, `icmp`, or `tcp/443`. */
  how: string
  /** Questions of one type, or packets; at least 1. */
  times: number
}

/** An attempt, and what is known about it. */
export interface Escape extends Attempt {
  /** What was going on, in order: titles of steps, names of parts of the stage. */
  during?: string[]
  /** Why nobody need do anything about it. */
  harmless?: string
}

/** Who, when it was no machine. */
export const COMPUTER = 'a program on this computer'
