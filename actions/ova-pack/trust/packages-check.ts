import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GuestFiles } from '../../lib/disk/guest-files.ts'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import type { Bytes } from '../../lib/files/bytes.ts'
import { run } from '../../lib/process/command.ts'
import { rootOf } from '../lint/boot.ts'
import { queryRpms } from '../rpm-database.ts'
import type { Check } from './check.ts'
import { debs, RPM_FORMAT, rpmsOf } from './installed.ts'
import type { Installed } from './parts.ts'

/** Of a database of packages. */
const MOST_BYTES = 256 << 20

interface Component {
  purl: string
  name: string
  version: string
  properties: { name: string; value: string }[]
}

/**
 * Whether the packages that the disk itself says it has, by dpkg or by rpm, are those that the SBOM says are on it.
 *
 * @param cdx the SBOM, CycloneDX
 */
export async function packagesCheck(
  cdx: string | undefined,
  disk: Bytes | undefined,
  signal: AbortSignal,
): Promise<Check> {
  const title = 'packages on the disk'
  if (!cdx || !disk) return { title, absent: true }
  const root = await rootOf(disk)
  let installed: Awaited<ReturnType<typeof installedIn>>
  try {
    installed = root && (await installedIn(root, signal))
  } catch (error) {
    if (error instanceof CommandFailed)
      return { title, fault: `rpm cannot read the disk's database: ${error.message}` }
    throw error
  }
  if (!installed) return { title, says: 'not looked at: no database of dpkg or rpm can be read on the disk' }
  if (typeof installed === 'string') return { title, says: `not looked at: ${installed}` }
  try {
    const there = new Set(installed.map(({ name, version }) => `${name} ${version}`))
    const said = saidBy(JSON.parse(cdx) as { components: Component[] })
    const odd = [
      ...[...there].filter((one) => !said.has(one)).map((one) => `${one} is not in the SBOM`),
      ...[...said].filter((one) => !there.has(one)).map((one) => `${one} is not on the disk`),
    ]
    if (odd.length > 0) return { title, fault: odd.slice(0, 5).join('; ') }
    return { title, says: `${there.size}, as the SBOM says` }
  } catch {
    return { title, fault: 'the SBOM cannot be read' }
  }
}

function saidBy({ components }: { components: Component[] }): Set<string> {
  const onDisk = components.filter(
    ({ purl, properties }) =>
      /^pkg:(deb|rpm)\//.test(purl) &&
      properties.some(({ name, value }) => name === 'appliance:on-disk' && value === 'true'),
  )
  return new Set(onDisk.map(({ name, version }) => `${name} ${version}`))
}

/** @returns words where something stands in the way, undefined where there is nothing to ask */
async function installedIn(root: GuestFiles, signal: AbortSignal): Promise<Installed[] | string | undefined> {
  const status = await root.read('/var/lib/dpkg/status', MOST_BYTES)
  const scratch = await mkdtemp(join(tmpdir(), 'appliance-verify-'))
  try {
    const rpms = await queryRpms(
      (paths) => contentsOf(root, paths),
      (program, args, options) => run(program, args, { ...options, signal }),
      scratch,
      RPM_FORMAT,
    )
    if (!status && !rpms) return undefined
    return [...debs(status?.toString() ?? ''), ...rpmsOf(rpms ?? [])]
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'missing-tool')
      return 'its database is that of rpm, and the program rpm is not installed here'
    throw error
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function contentsOf(root: GuestFiles, paths: readonly string[]): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const path of paths) {
    const content = await root.read(path, MOST_BYTES)
    if (content) found.set(path, content)
  }
  return found
}
