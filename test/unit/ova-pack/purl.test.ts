import { expect, test } from '@jest/globals'
import { osRelease } from '../../../actions/ova-pack/os-release.ts'
import { type Part, purl } from '../../../actions/ova-pack/trust/parts.ts'

const part = (kind: Part['kind'], name: string, version: string, arch?: string): Part => ({
  ...{ kind, name, version, license: 'MIT', locked: true },
  ...(arch && { arch }),
})
const system = (text: string) =>
  osRelease({ read: async () => new Map([['/usr/lib/os-release', Buffer.from(text)]]) })

test.each([
  ['ID="rocky"\nVERSION_ID="9.4"\n', 'pkg:rpm/rocky/server@1.4-3?arch=x86_64&distro=rocky-9.4&epoch=2'],
  [
    'ID="almalinux"\nVERSION_ID="9.4"\n',
    'pkg:rpm/almalinux/server@1.4-3?arch=x86_64&distro=almalinux-9.4&epoch=2',
  ],
  ['ID=fedora\nVERSION_ID=43\n', 'pkg:rpm/fedora/server@1.4-3?arch=x86_64&distro=fedora-43&epoch=2'],
  ['ID="rhel"\nVERSION_ID="9.4"\n', 'pkg:rpm/redhat/server@1.4-3?arch=x86_64&distro=rhel-9.4&epoch=2'],
])('%j names its own packages: %s', async (text, expected) => {
  expect(purl(part('rpm', 'server', '2:1.4-3', 'x86_64'), await system(text))).toBe(expected)
})

test('a Debian package keeps its epoch, and testing has no version', async () => {
  expect(purl(part('deb', 'g++', '4:12.2', 'amd64'), await system('ID=debian\n'))).toBe(
    'pkg:deb/debian/g%2B%2B@4:12.2?arch=amd64',
  )
})

test('a gem says its platform where it is not Ruby alone', async () => {
  const os = { id: 'debian', version: '12' }
  expect(purl(part('gem', 'ffi', '1.17', 'x86_64-linux'), os)).toBe('pkg:gem/ffi@1.17?platform=x86_64-linux')
  expect(purl(part('gem', 'rack', '3.1', 'ruby'), os)).toBe('pkg:gem/rack@3.1')
})
