import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'

/** A package to be made. */
export interface Rpm {
  name: string
  /** `[EPOCH:]VERSION-RELEASE` */
  version: string
  arch?: 'noarch' | 'x86_64' | 'i686'
  license?: string
  /** Further lines of its spec file, e.g. `Requires: (a if b)`. */
  lines?: string[]
  /** Key that signs it; the repository's unless said otherwise, none: false. */
  key?: SigningKey | false
  /** Of its one file, /usr/share/NAME/version (default: the version). */
  text?: string
  /** Of one more, empty. */
  path?: string
}

export interface SigningKey {
  /** GnuPG's home with the secret key. */
  home: string
  /** The public key, as `gpgkey:` takes it. */
  file: string
}

/** What a repository has beside packages. */
export interface Extras {
  /** comps.xml */
  comps?: string
  /** modules.yaml */
  modules?: string
  /** Sign repomd.xml, too. */
  signed?: boolean
  /** Arguments of createrepo_c, e.g. `--checksum sha512`. */
  createrepo?: string[]
}

/** Makes a key as a distribution has one. */
export async function signingKey(folder: string, name: string): Promise<SigningKey> {
  const home = join(folder, `${name}-gnupg`)
  await mkdir(home, { recursive: true, mode: 0o700 })
  const gpg = ['--homedir', home, '--batch', '--quiet', '--passphrase', '', '--pinentry-mode', 'loopback']
  await run('gpg', [...gpg, '--quick-generate-key', `${name} <${name}@example.test>`, 'rsa2048', 'sign', '0'])
  const file = join(folder, `RPM-GPG-KEY-${name}`)
  await writeFile(file, (await run('gpg', [...gpg, '--armor', '--export'])).stdout)
  return { home, file }
}

/** Ends the agents that GnuPG started. */
export async function endAgents(...keys: SigningKey[]): Promise<void> {
  for (const { home } of keys) await run('gpgconf', ['--homedir', home, '--kill', 'all'])
}

/** Builds the packages with rpmbuild, signs them, and publishes the repository. Again, for what changed upstream. */
export async function publishRpms(
  root: string,
  rpms: Rpm[],
  key: SigningKey,
  extras: Extras = {},
): Promise<void> {
  const built = `${root}-built`
  await rm(join(root, 'repodata'), { recursive: true, force: true })
  await mkdir(join(root, 'Packages'), { recursive: true })
  // What is published stays as it is: signed again it would be another file.
  const there = new Set(await readdir(join(root, 'Packages')))
  const lacking = rpms.filter((rpm) => !there.has(fileName(rpm)))
  await build(lacking, built, key)
  for (const rpm of lacking) await copyFile(join(built, fileName(rpm)), join(root, 'Packages', fileName(rpm)))
  const comps: string[] = []
  if (extras.comps) {
    await writeFile(`${root}-comps.xml`, extras.comps)
    comps.push('--groupfile', `${root}-comps.xml`)
  }
  const names = rpms.map((rpm) => `Packages/${fileName(rpm)}\n`)
  await writeFile(`${root}-list`, names.join(''))
  const plain = ['--quiet', '--no-database', '--revision', '1795000000', '--pkglist', `${root}-list`]
  await run('createrepo_c', [...plain, ...comps, ...(extras.createrepo ?? []), root])
  if (extras.modules) {
    await writeFile(`${root}-modules.yaml`, extras.modules)
    const modify = ['--mdtype', 'modules', `${root}-modules.yaml`, join(root, 'repodata')]
    await run('modifyrepo_c', ['--new-name', 'modules.yaml', ...modify])
  }
  const index = join(root, 'repodata/repomd.xml')
  const sign = ['--homedir', key.home, '--batch', '--armor', '--detach-sign', '--yes', index]
  if (extras.signed) await run('gpg', sign)
}

export function fileName({ name, version, arch = 'noarch' }: Rpm): string {
  return `${name}-${version.replace(/^\d+:/, '')}.${arch}.rpm`
}

/** All of an architecture at once, and all that one key signs: starting the programs is what takes the time. */
async function build(rpms: readonly Rpm[], folder: string, repositoryKey: SigningKey): Promise<void> {
  const define = (macro: string) => ['--define', macro]
  const args = [
    ...define(`_topdir ${folder}/top`),
    ...define(`_rpmdir ${folder}`),
    ...define('_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm'),
    ...define('_binary_payload w1.gzdio'),
    ...define('__os_install_post %{nil}'),
    ...define('use_source_date_epoch_as_buildtime 1'),
    ...define('_buildhost example.test'),
  ]
  const env = { SOURCE_DATE_EPOCH: '1790000000', HOME: folder }
  await mkdir(folder, { recursive: true })
  for (const [arch, group] of grouped(rpms, ({ arch = 'noarch' }) => arch)) {
    const specs: string[] = []
    for (const rpm of group) specs.push(await writeSpec(rpm, folder))
    await run('rpmbuild', ['-bb', '--quiet', '--target', arch, ...args, ...specs], { env })
  }
  for (const [key, group] of grouped(rpms, (rpm) => rpm.key ?? repositoryKey)) {
    if (!key) continue
    const user = (await run('gpg', ['--homedir', key.home, '--list-keys', '--with-colons'])).stdout
    const id = /^fpr:+([0-9A-F]+):/m.exec(user)![1]!
    const signing = [
      ...define('__gpg /usr/bin/gpg'),
      ...define(`_gpg_name ${id}`),
      ...define(`_gpg_path ${key.home}`),
    ]
    const paths = group.map((rpm) => join(folder, fileName(rpm)))
    await run('rpmsign', ['--addsign', ...signing, ...paths], { env })
  }
}

function grouped<T, K>(list: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one])
  return groups
}

async function writeSpec(rpm: Rpm, folder: string): Promise<string> {
  const { name, version, arch = 'noarch', license = 'MIT', lines = [], text = version, path } = rpm
  const [, epoch, number, release] = /^(?:(\d+):)?(.+)-([^-]+)$/.exec(version)!
  const spec = join(folder, `${fileName(rpm)}.spec`)
  const payload = `/usr/share/${name}`
  await writeFile(
    spec,
    `Name: ${name}
Version: ${number}
Release: ${release}
${epoch ? `Epoch: ${epoch}\n` : ''}Summary: ${name}
License: ${license}
${arch === 'noarch' ? 'BuildArch: noarch\n' : ''}${lines.join('\n')}
%description
${name}
%install
mkdir -p %{buildroot}${payload}
echo '${text}' > %{buildroot}${payload}/version
${path ? `install -D /dev/null %{buildroot}${path}` : ''}
%files
${payload}
${path ?? ''}
`,
  )
  return spec
}

/** Flips a byte in the middle of a file. */
export async function tamper(path: string): Promise<void> {
  const content = await readFile(path)
  const middle = content.length - 40
  content[middle] = content[middle]! ^ 1
  await writeFile(path, content)
}
