import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { settleProxies } from '../../../actions/lib/network/proxies.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { rootAt } from '../../../actions/mirror-deps/program-root.ts'
import { scratch } from './folder.ts'

const folder = await scratch()

/** A root in which there is nothing but env(1), which tells its environment. */
async function rootWithEnv(): Promise<string> {
  const directory = join(folder, 'root')
  await mkdir(directory)
  const { stdout } = await run('ldd', ['/usr/bin/env'])
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)
  await run('cp', ['--parents', '--dereference', '/usr/bin/env', ...libraries, directory])
  return directory
}

test('a program of a root is told of the proxies, unless it has no network, and of nothing else that is ours', async () => {
  const root = await rootWithEnv()
  const before = process.env
  process.env = {
    ...before,
    HTTPS_PROXY: 'proxy.test:3128',
    NO_PROXY: '.lan',
    RUBYOPT: '-w',
    GEM_HOME: '/gems',
  }
  settleProxies(process.env)
  try {
    const told = async (offline: boolean) => {
      const { stdout } = await (await rootAt(root)).run(['/usr/bin/env'], { offline })
      return Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split(/=(.*)/)),
      )
    }
    const own = { HOME: '/work', LANG: 'C.UTF-8', SSL_CERT_FILE: '/ca.crt', PATH: expect.any(String) }
    const [https_proxy, no_proxy] = ['http://proxy.test:3128', expect.stringMatching(/^lan,\.lan,/)]
    const proxies = { https_proxy, HTTPS_PROXY: https_proxy, no_proxy, NO_PROXY: no_proxy }
    expect(await told(false)).toEqual({ ...own, ...proxies })
    expect(await told(true)).toEqual(own)
  } finally {
    process.env = before
  }
})
