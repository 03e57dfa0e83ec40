import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { cannotProxy, companyProxy } from '../fixtures/company-proxy.ts'
import { packed, packedFiles, packedSpec } from '../fixtures/packed.ts'
import { Services } from './emulator/services.ts'
import { Workspace } from './emulator/step.ts'

const why = await cannotProxy()
const skipped = why ? ` (skipped: ${why})` : ''

// As whoever runs a self-hosted runner may write them: GitHub documents the small ones.
const written: [string, (address: string) => Record<string, string>][] = [
  [
    'https_proxy and http_proxy',
    (address) => ({ https_proxy: `http://${address}`, http_proxy: `http://${address}` }),
  ],
  [
    'HTTPS_PROXY and HTTP_PROXY without http://',
    (address) => ({ HTTPS_PROXY: address, HTTP_PROXY: address, NO_PROXY: 'localhost, .example.com' }),
  ],
  ['all_proxy alone', (address) => ({ all_proxy: `http://${address}` })],
]

;(why ? test.skip : test).each(written)(
  `behind a proxy, named by %s, the mirror is filled, cached and restored${skipped}`,
  async (_, environment) => {
    await using services = await Services.start({ as: 'https://results.test' })
    await using proxy = await companyProxy(
      { 'results.test': services.port },
      { 'upstream.test': (_, response) => void response.end('what the appliance needs\n') },
    )
    const surroundings = { ...environment(proxy.address), NODE_EXTRA_CA_CERTS: proxy.authority }
    await using workspace = await Workspace.create({ ...services.environment, ...surroundings })
    const spec = 'name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: http://upstream.test/data.txt\n'
    await writeFile(workspace.path('appliance.yml'), spec)
    await workspace.lock('.', surroundings)
    const filled = await workspace.run('mirror-deps')
    expect([filled.status, filled.stdout]).toEqual([
      0,
      expect.stringContaining('cache: saved appliance-mirror-2-tiny.'),
    ])
    const [asked] = [proxy.asked.length, await rm(workspace.path('build'), { recursive: true })]
    const restored = await workspace.run('mirror-deps')
    expect([restored.status, restored.outputs]).toEqual([
      0,
      expect.objectContaining({ 'cache-hit': 'true', 'downloaded-bytes': '0' }),
    ])
    expect(new Set(proxy.asked.slice(asked))).toEqual(new Set(['CONNECT results.test:443']))
  },
)

;(why ? test.skip : test)(`behind a proxy a release is published${skipped}`, async () => {
  await using services = await Services.start({ as: 'https://api.test' })
  await using proxy = await companyProxy({ 'api.test': services.port })
  await using workspace = await Workspace.create({
    ...services.environment,
    HTTPS_PROXY: proxy.address,
    NODE_EXTRA_CA_CERTS: proxy.authority,
    GITHUB_API_URL: services.api,
    GITHUB_REPOSITORY: 'someone/product',
    GITHUB_REF: 'refs/tags/v1.2.3',
    GITHUB_REF_NAME: 'v1.2.3',
    GITHUB_REF_TYPE: 'tag',
  })
  await writeFile(workspace.path('appliance.yml'), packedSpec)
  await workspace.lock()
  await packed(workspace.directory, randomBytes(300_000))
  const { status, stdout } = await workspace.run('publish', {
    token: 'ghs_x',
    archive: 'build/mirror.tar.zst',
  })
  expect([status, stdout]).toEqual([0, expect.not.stringContaining('::error')])
  const [release] = services.releases.releases
  expect([release!.draft, release!.assets.map(({ name }) => name).sort()]).toEqual([false, packedFiles])
  expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT api.test:443']))
})
