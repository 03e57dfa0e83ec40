import { expect, test } from '@jest/globals'
import { unknownWords } from '../../../actions/lib/errors/unknown-words.ts'

test('a slip is met with the word that was meant; another word with all there are, where these are few', () => {
  const told = (word: string, known: readonly string[]) =>
    unknownWords('--for', [word], known).map(({ message }) => message)
  const few = ['vmware', 'virtualbox', 'proxmox']
  expect(told('vmware', few)).toEqual([])
  expect(told('wmware', few)).toEqual(['--for: unknown wmware; did you mean vmware?'])
  expect(told('xen', few)).toEqual(['--for: unknown xen; known: vmware, virtualbox, proxmox'])
  expect(told('xen', [...few, ...'abcdefgh'])).toEqual(['--for: unknown xen'])
})
