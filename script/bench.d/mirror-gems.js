import { copyFileSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { timed } from './figures.js'

/** Real gems, some hundred and fifty. */
export const gems = { 'chef-bin': '~> 18.4' }

/**
 * A gem source with those gems and all they need, as the mirror serves it: from RubyGems the first time, kept for the
 * next.
 *
 * @param mirrored makes it, and says where it lies
 */
export function copyOfGems(folder, mirrored) {
  if (existsSync(join(folder, 'info'))) return
  const partial = `${folder}-making`
  rmSync(partial, { recursive: true, force: true })
  cpSync(mirrored(), partial, { recursive: true })
  renameSync(partial, folder)
}

/** Resolves with Bundler, once: what is compared is the fetching of what is locked. */
export function bundleLock(folder, url) {
  mkdirSync(folder, { recursive: true })
  const lines = Object.entries(gems).map(([name, version]) => `gem '${name}', '${version}'\n`)
  writeFileSync(join(folder, 'Gemfile'), `source '${url}/'\n${lines.join('')}`)
  timed('bundle', ['lock'], bundler(folder))
  copyFileSync(join(folder, 'Gemfile.lock'), join(folder, 'locked'))
}

/** What somebody would run instead: all gems of a Gemfile.lock into vendor/cache. Seconds. */
export function bundleCache(folder) {
  for (const name of ['vendor', '.bundle', 'home'])
    rmSync(join(folder, name), { recursive: true, force: true })
  copyFileSync(join(folder, 'locked'), join(folder, 'Gemfile.lock'))
  return timed('bundle', ['cache', '--no-install', '--quiet'], bundler(folder)).seconds
}

/** Bundler with nothing of this computer's gems and settings. */
function bundler(folder) {
  const home = join(folder, 'home')
  const env = {
    ...process.env,
    HOME: home,
    GEM_HOME: join(home, 'gems'),
    BUNDLE_PATH: join(home, 'gems'),
    BUNDLE_FORCE_RUBY_PLATFORM: 'true',
    BUNDLE_SILENCE_ROOT_WARNING: '1',
  }
  mkdirSync(home, { recursive: true })
  return { cwd: folder, env }
}
