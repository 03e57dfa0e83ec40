import { describe, expect, test } from '@jest/globals'
import { accessLine } from '../../../actions/lib/mirror/serve/access.ts'
import { remedyFor } from '../../../actions/lib/mirror/serve/lacking.ts'
import { namesIn } from '../../../actions/lib/mirror/serve/path.ts'

const sources = new Set(['deb/debian', 'rpm/baseos', 'gem/app', 'git/rbenv.git', 'file/jdk', 'iso/netinst'])
const remedy = (path: string) => remedyFor(namesIn(path)!, sources)

describe('what a client asked for in vain is told with what would add it', () => {
  test.each([
    [
      '/deb/debian/pool/main/n/nginx/nginx_1.22.1-9%2bdeb12u2_amd64.deb',
      'add nginx to the packages of debian in mirror.deb',
    ],
    [
      '/deb/debian/pool/libstdc++6_12.2.0-14_amd64.deb',
      'add libstdc++6 to the packages of debian in mirror.deb',
    ],
    ['/deb/pool/x/tree_2.1.0-1_amd64.deb', 'add tree to the packages in mirror.deb'],
    ['/deb/security/dists/appliance/InRelease', 'add a source named security to mirror.deb'],
    [
      '/deb/debian/dists/bookworm/InRelease',
      'ask for the suite "appliance": every repository of the mirror has this one and no other',
    ],
    [
      '/rpm/baseos/Packages/t/tomcat-el-3.0-api-9.0.87-1.el9.noarch.rpm',
      'add tomcat-el-3.0-api to the packages of baseos in mirror.rpm',
    ],
    ['/rpm/epel/repodata/repomd.xml', 'add a source named epel to mirror.rpm'],
    [
      '/gem/app/info/net-http',
      'add net-http to the gems (or the Gemfile, with its lock) of app in mirror.gem',
    ],
    [
      '/gem/app/quick/Marshal.4.8/net-http-0.4.1.gemspec.rz',
      'add net-http to the gems (or the Gemfile, with its lock) of app in mirror.gem',
    ],
    [
      '/gem/app/gems/ffi-1.17.0-x86_64-linux-gnu.gem',
      'add ffi to the gems (or the Gemfile, with its lock) of app in mirror.gem',
    ],
    ['/gem/none/specs.4.8.gz', 'add a source named none to mirror.gem'],
    ['/git/ruby-build.git/info/refs?service=git-upload-pack', 'add a source named ruby-build to mirror.git'],
    ['/git/rbenv/info/refs?service=git-upload-pack', 'ask for git/rbenv.git'],
    ['/file/jre/jre.tar.gz', 'add a source named jre to mirror.file'],
    ['/file/jdk/jdk-21.tar.gz', 'look at what file/jdk/ has: a file keeps the last name of its address'],
    ['/iso/other/other.iso', 'add a source named other to mirror.iso'],
    [
      '/debian/dists/bookworm/InRelease',
      'ask below deb/, rpm/, gem/, git/, file/ or iso/: everything in the mirror lies there',
    ],
  ])('%s: %s', (path, expected) => {
    expect(remedy(path)).toBe(expected)
  })
})

describe('clients that merely look are not told of', () => {
  test.each([
    '/deb/debian/dists/appliance/main/i18n/Translation-en.xz',
    '/deb/debian/dists/appliance/main/Contents-amd64.gz',
    '/deb/debian/dists/appliance/main/binary-amd64/by-hash/SHA256/00',
    '/deb/debian/dists/appliance/main/binary-amd64/Packages.xz',
    '/deb/debian/dists/appliance/Release.gpg',
    '/deb/security/dists/appliance/Release',
    '/rpm/baseos/repodata/repomd.xml.asc',
    '/rpm/baseos/.treeinfo',
    '/gem/app/api/v1/dependencies?gems=rack',
    '/gem/app/specs.4.8',
    '/gem/app/Marshal.4.8.Z',
    '/git/rbenv.git/objects/info/http-alternates',
    '/git/rbenv.git/objects/12/3456',
    '/git/rbenv.git/packed-refs',
    '/git/ruby-build.git/HEAD',
    '/favicon.ico',
    '/.well-known/security.txt',
    `/gem/app/info/${'x'.repeat(1000)}`,
    '/',
  ])('%s', (path) => {
    expect(remedy(path)).toBeUndefined()
  })
})

test.each([
  '/../x',
  '/a/%2e%2e/x',
  '/%2E/x',
  '/a%2fb',
  '/a%5Cb',
  '/a\\b',
  '/a%00',
  '/%ff',
  'x',
  '*',
  'http://h/x',
  '',
])('no honest client asks for %j', (target) => {
  expect(namesIn(target)).toBeUndefined()
})

test('an address is names, decoded once', () => {
  expect(namesIn('/deb//a+b%7e1%252e.deb?x=/../y#z')).toEqual(['deb', 'a+b~1%2e.deb'])
})

test('a line of the access log stays one line, without colours', () => {
  const access = { method: 'GET', path: '/a\n\u001b[31mé', status: 404, bytes: 0, whole: false }
  expect(accessLine(access)).toBe('GET /a%0A%1B[31m%C3%A9 404 0 (given up)')
})
