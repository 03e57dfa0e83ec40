import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { timed } from './figures.js'

const count = 250
const kilobytes = 400

/** The package that needs all others. */
export const top = 'bench'

/**
 * A repository of signed packages, made here: no RPM distribution can be counted on to be within reach. Kept for the
 * next time.
 */
export function repositoryOfRpms(folder) {
  if (existsSync(join(folder, 'repodata/repomd.xml'))) return
  const work = `${folder}-making`
  rmSync(work, { recursive: true, force: true })
  const home = join(work, 'gnupg')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const gpg = ['--homedir', home, '--batch', '--quiet', '--passphrase', '', '--pinentry-mode', 'loopback']
  timed('gpg', [...gpg, '--quick-generate-key', 'bench <bench@example.test>', 'rsa2048', 'sign', '0'])
  writeFileSync(join(work, 'RPM-GPG-KEY-bench'), timed('gpg', [...gpg, '--armor', '--export']).stdout)
  const names = Array.from({ length: count }, (_, index) => `${top}-part${index}`)
  const spec = join(work, 'bench.spec')
  writeFileSync(spec, specOf(names))
  const define = (macro) => ['--define', macro]
  timed('rpmbuild', [
    '-bb',
    '--quiet',
    ...define(`_topdir ${work}/top`),
    ...define(`_rpmdir ${work}/rpms`),
    ...define('_binary_payload w1.gzdio'),
    ...define('__os_install_post %{nil}'),
    spec,
  ])
  const rpms = readdirSync(join(work, 'rpms/noarch')).map((name) => join(work, 'rpms/noarch', name))
  const sign = [
    '--addsign',
    ...define('__gpg /usr/bin/gpg'),
    ...define('_gpg_name bench'),
    ...define(`_gpg_path ${home}`),
  ]
  timed('rpmsign', [...sign, ...rpms], { env: { ...process.env, GNUPGHOME: home } })
  timed('createrepo_c', ['--quiet', join(work, 'rpms')])
  timed('gpgconf', ['--homedir', home, '--kill', 'all'])
  rmSync(folder, { recursive: true, force: true })
  renameSync(join(work, 'rpms'), folder)
  copyFileSync(join(work, 'RPM-GPG-KEY-bench'), join(folder, 'RPM-GPG-KEY-bench'))
  rmSync(work, { recursive: true })
}

/** One build, many packages, each with bytes that do not compress. */
function specOf(names) {
  const head = (name) => `Summary: ${name}\nLicense: MIT\n`
  const parts = names.map(
    (name) =>
      `%package -n ${name}\nSummary: ${name}\n%description -n ${name}\n${name}\n%files -n ${name}\n/usr/share/${name}\n`,
  )
  const made = names.map(
    (name) =>
      `mkdir -p %{buildroot}/usr/share/${name}\nhead -c ${kilobytes}K /dev/urandom > %{buildroot}/usr/share/${name}/data`,
  )
  return `Name: ${top}
Version: 1
Release: 1
BuildArch: noarch
${head(top)}${names.map((name) => `Requires: ${name}\n`).join('')}
%description
${top}
${parts.join('')}
%install
${made.join('\n')}
%files
`
}

/** What somebody would run instead. Seconds. */
export function dnfDownload(folder, url) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'repos'), { recursive: true })
  const settings = [
    `--installroot=${folder}/root`,
    `--setopt=reposdir=${folder}/repos`,
    `--setopt=cachedir=${folder}/cache`,
    '--setopt=max_parallel_downloads=8',
    '--releasever=9',
    `--repofrompath=bench,${url}`,
    '--repo=bench',
  ]
  return timed('dnf', ['-q', '-y', ...settings, 'download', '--resolve', `--destdir=${folder}/to`, top])
    .seconds
}
