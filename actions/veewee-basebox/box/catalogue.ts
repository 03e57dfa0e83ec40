import type { Provider } from '../../lib/box/provider.ts'

/** A box as a catalogue knows it. */
export interface CataloguedBox {
  provider: Provider
  /** `https://…` or `file:///…` */
  url: string
  sha256: string
}

/**
 * Vagrant's box catalogue: with it `vagrant box add FILE.json` knows the box's name and version, checks its digest,
 * and `vagrant box outdated` sees a newer one.
 *
 * @param version as RubyGems takes them: digits and dots
 * @see https://developer.hashicorp.com/vagrant/docs/boxes/format (Box Metadata)
 */
export function catalogue(name: string, version: string, boxes: readonly CataloguedBox[]): string {
  const listed = boxes.map(({ provider, url, sha256 }) => ({
    name: provider,
    url,
    checksum_type: 'sha256',
    checksum: sha256,
    architecture: 'amd64',
    default_architecture: true,
  }))
  const description = 'A minimal base machine, made by appliance'
  return `${JSON.stringify({ name, description, versions: [{ version, providers: listed }] }, null, 2)}\n`
}

/**
 * A version that grows with upstream's date, on which the machine depends: `20261122T020905Z` → `20261122.20905`.
 * RubyGems compares the parts as numbers.
 */
export function boxVersion(timestamp: string): string {
  const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(timestamp) ?? ['', '0', '0']
  return `${day}.${Number(time)}`
}
