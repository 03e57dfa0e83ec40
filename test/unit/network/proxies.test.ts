import { expect, test } from '@jest/globals'
import { settleProxies, withoutProxies } from '../../../actions/lib/network/proxies.ts'

const OURSELVES = 'localhost,127.0.0.1,::1,[::1]'

/** Only the small names, which have to be what the capital ones are. */
function settled(before: Record<string, string>): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { PATH: '/bin', ...before }
  settleProxies(env)
  const small = Object.entries(env).filter(([name]) => /^[a-z]/.test(name))
  const capital = Object.fromEntries(small.map(([name, value]) => [name.toUpperCase(), value]))
  expect(env).toEqual({ PATH: '/bin', ...Object.fromEntries(small), ...capital })
  return Object.fromEntries(small)
}

test.each<[string, Record<string, string>, Record<string, string>]>([
  ['nothing is nothing', {}, {}],
  ['what is empty is none', { http_proxy: '', HTTP_PROXY: '' }, {}],
  ['no_proxy alone is for others to read', { NO_PROXY: 'a.test' }, { no_proxy: 'a.test' }],
  [
    'what stands in capitals alone is there in small, too, and with a scheme',
    { HTTPS_PROXY: 'proxy.test:3128' },
    { https_proxy: 'http://proxy.test:3128', no_proxy: OURSELVES },
  ],
  [
    'of two that differ the small one counts',
    { https_proxy: 'http://a.test', HTTPS_PROXY: 'http://b.test' },
    { https_proxy: 'http://a.test', no_proxy: OURSELVES },
  ],
  [
    'all_proxy is for what has none of its own',
    { ALL_PROXY: 'http://all.test', http_proxy: 'http://own.test' },
    {
      all_proxy: 'http://all.test',
      http_proxy: 'http://own.test',
      https_proxy: 'http://all.test',
      no_proxy: OURSELVES,
    },
  ],
  [
    'a SOCKS proxy is left to those who can speak with it',
    { all_proxy: 'socks5://all.test' },
    { all_proxy: 'socks5://all.test', no_proxy: OURSELVES },
  ],
  [
    'no_proxy excepts names and what is below them, however that is written',
    { http_proxy: 'http://a.test', NO_PROXY: 'Corp.test, .lan *.dmz  10.0.0.7 10.0.0.0/8 one.test:8080' },
    {
      http_proxy: 'http://a.test',
      no_proxy: `corp.test,.corp.test,lan,.lan,dmz,.dmz,10.0.0.7,10.0.0.0/8,one.test:8080,${OURSELVES}`,
    },
  ],
  [
    'no_proxy: * excepts everything',
    { http_proxy: 'http://a.test', ALL_PROXY: 'b.test', no_proxy: '*' },
    { no_proxy: '*' },
  ],
])('%s', (_, before, after) => {
  expect(settled(before)).toEqual(after)
})

test('settled once more, it is the same', () => {
  const env: Record<string, string | undefined> = {
    HTTP_PROXY: 'a.test:1',
    no_proxy: 'b.test',
    all_proxy: 'c.test',
  }
  settleProxies(env)
  const once = { ...env }
  settleProxies(env)
  expect(env).toEqual(once)
})

test('an inner process has none of them', () => {
  const env: Record<string, string | undefined> = { all_proxy: 'a.test', HTTP_PROXY: 'b.test' }
  settleProxies(env)
  const left = Object.entries({ ...env, ...withoutProxies }).filter(([, value]) => value !== undefined)
  expect(left).toEqual([])
})
