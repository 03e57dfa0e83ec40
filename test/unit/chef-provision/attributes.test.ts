import { expect, test } from '@jest/globals'
import { nodeAttributes } from '../../../actions/chef-provision/chef/configuration.ts'

test('{{mirror}} is the mirror’s address, in texts however deep, and nothing else is filled in', () => {
  const attributes = {
    jdk: { url: '{{mirror}}/file/jdk/jdk.tar.gz', mirrors: ['{{ mirror }}/a and {{mirror}}/$&'] },
    '{{mirror}}': '{{other}} {mirror}',
    port: 80,
  }
  expect(JSON.parse(nodeAttributes(attributes, ['recipe[web]'], 'http://mirror.internal'))).toEqual({
    jdk: {
      url: 'http://mirror.internal/file/jdk/jdk.tar.gz',
      mirrors: ['http://mirror.internal/a and http://mirror.internal/$&'],
    },
    '{{mirror}}': '{{other}} {mirror}',
    port: 80,
    run_list: ['recipe[web]'],
  })
  expect(nodeAttributes({ on: true }, [], 'x')).toBe('{"on":true}')
})
