import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { type MirrorKey, mirrorKey } from '../../../actions/mirror-deps/mirror-key.ts'

/** A package to be made. */
export interface Deb {
  name: string
  version: string
  arch?: string
  /** Further lines of its control file. */
  control?: Record<string, string>
  /** Path → content of further files; a content that begins with `-> ` makes a link. */
  files?: Record<string, string>
}

export interface PublishOptions {
  /** An index for each; amd64 alone unless said otherwise. */
  architectures?: string[]
  /** Of the Release files; Example unless said otherwise. */
  origin?: string
  /** What signs instead of the archive's own key. */
  key?: MirrorKey
}

/** A Debian archive as upstream publishes one: signed, with compressed indexes, a pool. */
export interface Archive {
  /** To be served. */
  root: string
  /** What signs it, as `signed_by:` takes it. */
  keyring: string
}

/** Builds the packages with dpkg-deb and publishes the suites. Again, with others, for what changed upstream. */
export async function publish(
  root: string,
  suites: Record<string, Deb[]>,
  options: PublishOptions = {},
): Promise<Archive> {
  const key = options.key ?? (await mirrorKey(`${root}-key`))
  const keyring = `${root}.gpg`
  await mkdir(dirname(root), { recursive: true })
  await writeFile(keyring, key.publicKey)
  await rm(join(root, 'dists'), { recursive: true, force: true })
  for (const [suite, debs] of Object.entries(suites)) await publishSuite(root, suite, debs, key, options)
  return { root, keyring }
}

async function publishSuite(
  root: string,
  suite: string,
  debs: Deb[],
  key: MirrorKey,
  { architectures = ['amd64'], origin = 'Example' }: PublishOptions,
): Promise<void> {
  const own = join(`${root}-built`, suite)
  await rm(own, { recursive: true, force: true })
  for (const deb of debs) {
    const path = await build(deb, own)
    await mkdir(dirname(join(root, path)), { recursive: true })
    await copyFile(join(own, path), join(root, path))
  }
  await mkdir(join(own, 'pool'), { recursive: true })
  const packages = (await run('apt-ftparchive', ['packages', 'pool'], { cwd: own })).stdout
  const folder = join(root, 'dists', suite)
  const indexes = architectures.flatMap((architecture): [string, Buffer][] => {
    const text = packages
      .split('\n\n')
      .filter((stanza) => new RegExp(`^Architecture: (${architecture}|all)$`, 'm').test(stanza))
      .map((stanza) => `${stanza.trim()}\n`)
      .join('\n')
    return [
      [`main/binary-${architecture}/Packages`, Buffer.from(text)],
      [`main/binary-${architecture}/Packages.gz`, gzipSync(text)],
    ]
  })
  const sums = indexes.map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}`)
  for (const [path, content] of indexes.filter(([path]) => path.endsWith('.gz'))) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  const date = new Date('2026-11-21T09:15:44Z')
  const release = `Origin: ${origin}\nLabel: ${origin}\nSuite: ${suite}\nCodename: ${suite}\nDate: ${date.toUTCString().replace('GMT', 'UTC')}\nArchitectures: ${architectures.join(' ')}\nComponents: main\nSHA256:\n${sums.join('\n')}\n`
  await writeFile(join(folder, 'InRelease'), await key.clearSign(release, date))
}

async function build(deb: Deb, own: string): Promise<string> {
  const { name, version, arch = 'amd64', control = {}, files = {} } = deb
  const plain = version.replace(/^\d+:/, '')
  const path = `pool/main/${name[0]}/${name}/${name}_${plain}_${arch}.deb`
  const content = join(own, '.content')
  await rm(content, { recursive: true, force: true })
  await mkdir(join(content, 'DEBIAN'), { recursive: true })
  await mkdir(join(content, 'usr/share', name), { recursive: true })
  await writeFile(join(content, 'usr/share', name, 'version'), `${version}\n`)
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(content, file)), { recursive: true })
    if (text.startsWith('-> ')) await symlink(text.slice(3), join(content, file))
    else await writeFile(join(content, file), text)
  }
  const fields = {
    Package: name,
    Version: version,
    Architecture: arch,
    Maintainer: 'A <a@example.test>',
    Description: name,
    ...control,
  }
  const text = Object.entries(fields).map(([field, value]) => `${field}: ${value}\n`)
  await writeFile(join(content, 'DEBIAN/control'), text.join(''))
  await mkdir(dirname(join(own, path)), { recursive: true })
  await run('dpkg-deb', ['--build', '--root-owner-group', '-Zgzip', content, join(own, path)], {
    env: { SOURCE_DATE_EPOCH: '1' },
  })
  await rm(content, { recursive: true })
  return path
}

/** Names and contents of all files of a folder, to compare two. */
export async function contentsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const pairs = files
    .sort()
    .map(async (file) => [file.slice(folder.length + 1), sha256(await readFile(file))] as const)
  return Object.fromEntries(await Promise.all(pairs))
}

/** A flat repository: packages and one index in one folder. */
export async function publishFlat(root: string, debs: Deb[]): Promise<Archive> {
  const key = await mirrorKey(`${root}-key`)
  await writeFile(`${root}.gpg`, key.publicKey)
  const own = `${root}-built`
  await mkdir(root, { recursive: true })
  for (const deb of debs) await copyFile(join(own, await build(deb, own)), join(root, `${deb.name}.deb`))
  const packages = (await run('apt-ftparchive', ['packages', '.'], { cwd: root })).stdout
  await writeFile(join(root, 'Packages'), packages)
  const date = new Date('2026-11-21T09:15:44Z')
  const release = `Date: ${date.toUTCString().replace('GMT', 'UTC')}\nSHA256:\n ${sha256(packages)} ${packages.length} Packages\n`
  await writeFile(join(root, 'InRelease'), await key.clearSign(release, date))
  return { root, keyring: `${root}.gpg` }
}
