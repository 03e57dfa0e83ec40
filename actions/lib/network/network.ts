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
  /** Makes one more plug and says how QEMU is to be connected to it. `ports`: guest ports to reach, for `user`. */
  plug(machine: { name: string; mac: string; ports: readonly number[] }): Promise<Plug>
  /** Who tried to reach something that is not here, so far. */
  escapes(): Promise<Escape[]>
}

export interface Plug extends AsyncDisposable {
  /** Arguments for QEMU's `-netdev`, with id `net0`. */
  readonly netdev: string[]
  /** The guest's address, or undefined while it has none. */
  address(): Promise<string | undefined>
  reach(port: number): Promise<{ host: string; port: number; connectionProves: boolean }>
}

/** One thing the guest (or a program of ours) asked for that is not in the mirror. */
export interface Escape {
  /** `deb.debian.org` or `192.0.2.7`. */
  to: string
  /** `dns`, or `tcp/443`. */
  how: string
  times: number
}
