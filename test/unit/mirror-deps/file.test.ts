import { expect, test } from '@jest/globals'
import { fileInTree } from '../../../actions/lib/mirror/file-in-tree.ts'

test.each([
  ['https://example.test/jdk.tar.gz?mirror=1', 'file/jdk/jdk.tar.gz'],
  ['https://example.test/a%20b.zip', 'file/jdk/a b.zip'],
  ['https://example.test/folder/', 'file/jdk/jdk'],
  ['https://example.test/x/..%2f..%2fetc', 'file/jdk/..%2f..%2fetc'],
  ['https://example.test/x/%2e%2e', 'file/jdk/jdk'],
  ['https://example.test/100%', 'file/jdk/100%'],
])('%s lies at %s', (url, path) => {
  expect(fileInTree('file', { name: 'jdk', url })).toBe(path)
})
