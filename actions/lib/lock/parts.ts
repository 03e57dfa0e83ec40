import { dirname, join } from 'node:path'
import { sha256 } from '../files/digest.ts'
import { textOf } from '../files/text.ts'
import {
  baseboxPackages,
  compilerPackages,
  packagesFor,
  rpmBasePackages,
  rpmPackages,
  toolsPackages,
  xfsPackages,
} from '../mirror/packages.ts'
import { cookbookFilesOf, cookbookTexts } from '../spec/cookbook-file.ts'
import { familyOf } from '../spec/family.ts'
import type { Spec } from '../spec/spec.ts'
import type { Lock } from './lock.ts'

/**
 * What the lock answers, part by part: `deb debian` → digest of what the spec (and the Gemfile it names, and our own
 * needs) say about it. Where the project lies on this computer makes no difference, nor do secrets and keys' paths.
 */
export async function lockParts(spec: Spec): Promise<Record<string, string>> {
  const { deb, rpm, gem, git, file, iso, archive } = spec.mirror
  const { signedBy: _, ...tools } = spec.tools
  const { bootstrap, definition } = spec.basebox
  const xfs = bootstrap?.filesystem === 'xfs' ? [xfsPackages] : []
  const parts: [string, unknown][] = [
    // An installer brings its own packages; of the mirror's it needs the tools.
    [
      'basebox',
      familyOf(spec) === 'rpm' && bootstrap
        ? ['rpm', rpmBasePackages(bootstrap)]
        : [bootstrap ? wished(bootstrap) : definition ? 'installed' : null, baseboxPackages],
    ],
    ['tools', [tools, toolsPackages, compilerPackages, rpm.length > 0 ? rpmPackages : [], ...xfs]],
    ...(archive === undefined ? [] : [['archive', archive] as [string, unknown]]),
    ...deb.map(({ signedBy, ...rest }): [string, unknown] => [`deb ${rest.name}`, rest]),
    ...rpm.map(({ gpgkey, ...rest }): [string, unknown] => [`rpm ${rest.name}`, rest]),
    ...git.map(({ path, ...rest }): [string, unknown] => [`git ${rest.name}`, rest]),
    ...file.map(({ auth, keyring, ...rest }): [string, unknown] => [`file ${rest.name}`, rest]),
    ...iso.map(({ auth, keyring, ...rest }): [string, unknown] => [`iso ${rest.name}`, rest]),
  ]
  for (const { gemfile, ...rest } of gem) {
    const texts = gemfile ? [await textOf(gemfile), await textOf(join(dirname(gemfile), 'Gemfile.lock'))] : []
    parts.push([`gem ${rest.name}`, [rest, texts]])
  }
  for (const one of cookbookFilesOf(spec))
    parts.push([`cookbook ${one.name}`, [one.kind, await cookbookTexts(one)]])
  return Object.fromEntries(parts.map(([part, content]) => [part, sha256(JSON.stringify(content))]))
}

/** What of a base machine shows in the mirror: its packages, and nothing else of it. */
function wished(bootstrap: NonNullable<Spec['basebox']['bootstrap']>): unknown {
  return { suite: bootstrap.suite, packages: [...bootstrap.packages, ...packagesFor(bootstrap)] }
}

/** Where spec and lock are out of step, a line each; none: the lock fits. */
export async function misfits(spec: Spec, lock: Lock): Promise<string[]> {
  const parts = await lockParts(spec)
  const lines = Object.entries(parts).flatMap(([part, digest]) =>
    !Object.hasOwn(lock.for, part)
      ? [`${part} is not in the lock`]
      : lock.for[part] === digest
        ? []
        : [`${part} changed since it was locked`],
  )
  const gone = Object.keys(lock.for).filter((part) => !Object.hasOwn(parts, part))
  return [...lines, ...gone.map((part) => `${part} is locked, but no longer in the spec`)]
}
