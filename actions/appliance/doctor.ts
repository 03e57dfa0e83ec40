import { constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { exists } from '../lib/files/exists.ts'
import { chooseAccel } from '../lib/hypervisor/accel.ts'
import type { Problem } from '../lib/hypervisor/hypervisor.ts'
import { canEnter } from '../lib/network/enter.ts'
import { counted } from '../lib/units/counted.ts'
import type { Door } from './inside.ts'

/** A program the stages start on this computer, the Debian/Ubuntu package that has it, and what it is for. */
interface Program {
  name: string
  packageName: string
  purpose: string
}

/** Everything `script/bootstrap` installs for building (tests need more). */
export const programs: readonly Program[] = [
  { name: 'qemu-system-x86_64', packageName: 'qemu-system-x86', purpose: 'runs the machines' },
  { name: 'qemu-img', packageName: 'qemu-utils', purpose: 'makes and converts disks' },
  { name: 'mmdebstrap', packageName: 'mmdebstrap', purpose: 'makes root file systems from the mirror' },
  { name: 'apt-get', packageName: 'apt', purpose: 'resolves Debian packages' },
  { name: 'apt-ftparchive', packageName: 'apt-utils', purpose: "indexes the mirror's own repositories" },
  { name: 'gpgv', packageName: 'gpgv', purpose: 'checks the signatures of packages and files' },
  { name: 'git', packageName: 'git', purpose: 'mirrors git repositories' },
  { name: 'ssh', packageName: 'openssh-client', purpose: 'talks to the guest' },
  { name: 'ssh-keygen', packageName: 'openssh-client', purpose: 'makes the build key' },
  { name: 'ip', packageName: 'iproute2', purpose: 'makes the private network' },
  {
    name: 'nft',
    packageName: 'nftables',
    purpose: 'closes the private network and remembers who tried to leave',
  },
  {
    name: 'dnsmasq',
    packageName: 'dnsmasq-base',
    purpose: 'gives guests their address and answers their questions',
  },
  { name: 'unshare', packageName: 'util-linux', purpose: 'enters the private network' },
  { name: 'setpriv', packageName: 'util-linux', purpose: 'lets every program we start end with us' },
  { name: 'tar', packageName: 'tar', purpose: 'copies files into and out of the guest' },
  { name: 'xz', packageName: 'xz-utils', purpose: 'reads package indexes' },
  {
    name: 'openssl',
    packageName: 'openssl',
    purpose: 'signs with keys on tokens, and makes password hashes',
  },
  { name: 'zstd', packageName: 'zstd', purpose: 'packs archives of the mirror, and the Actions cache' },
]

/** Programs that only some appliances need; that they are missing is no fault of this computer's. */
export const sometimes: readonly Program[] = [
  {
    name: 'xfs_repair',
    packageName: 'xfsprogs',
    purpose: 'is for machines that an installer gave an XFS root',
  },
  { name: 'ruby', packageName: 'ruby', purpose: 'runs Capistrano steps' },
  { name: 'gem', packageName: 'ruby', purpose: 'installs the gems that Capistrano steps need' },
  { name: 'VBoxManage', packageName: 'virtualbox', purpose: 'is the driver of hypervisor: virtualbox' },
  { name: 'socat', packageName: 'socat', purpose: 'carries frames for hypervisor: virtualbox' },
  { name: 'vagrant', packageName: 'vagrant', purpose: 'is the driver of hypervisor: vagrant' },
  {
    name: 'tesseract',
    packageName: 'tesseract-ocr',
    purpose: 'reads graphical screens for scenarios that wait for text there',
  },
]

/** Files that come with packages rather than programs. */
const files = [
  {
    paths: ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'],
    packageName: 'ovmf',
    purpose: 'UEFI firmware for machines',
  },
  {
    paths: ['/usr/share/keyrings/debian-archive-keyring.gpg'],
    packageName: 'debian-archive-keyring',
    purpose: "Debian's signing keys",
  },
]

/** What this computer lacks, each with the command that installs it. Empty: all is there. */
export async function missing(path: string = process.env.PATH ?? ''): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const { name, packageName, purpose } of programs)
    if (!(await isInstalled(name, path)))
      problems.push({ what: `${name} is missing: it ${purpose}`, remedy: `apt-get install ${packageName}` })
  for (const { paths, packageName, purpose } of files)
    if (!(await anyExists(paths, constants.R_OK)))
      problems.push({ what: `${paths[0]} is missing: ${purpose}`, remedy: `apt-get install ${packageName}` })
  return problems
}

async function isInstalled(program: string, path = process.env.PATH ?? ''): Promise<boolean> {
  const folders = [...path.split(delimiter), '/usr/sbin', '/sbin']
  return await anyExists(
    folders.map((folder) => join(folder, program)),
    constants.X_OK,
  )
}

async function anyExists(paths: readonly string[], mode: number): Promise<boolean> {
  for (const path of paths) {
    const found = await exists(path, mode)
    if (found) return true
  }
  return false
}

/** `appliance doctor`: what is missing, how machines will run here, and why. */
export async function doctor(_values: Record<string, unknown>, { log }: Door): Promise<void> {
  const problems = [...(await missing()), ...(await canEnter())]
  for (const { what, remedy } of problems) log.warn(`${what}\n    ${remedy}`)
  for (const { name, packageName, purpose } of sometimes)
    if (!(await isInstalled(name)))
      log.info(`${name} is not here, and only some need it: it ${purpose} (apt-get install ${packageName})`)
  log.info((await chooseAccel('auto')).reason)
  if (problems.length > 0)
    throw new ApplianceError('missing-tool', `this computer lacks ${counted(problems.length, 'thing')}`, {
      hint: 'script/bootstrap installs the packages.',
    })
  log.info('everything needed is here')
}
