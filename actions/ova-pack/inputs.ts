import { readFile } from 'node:fs/promises'
import { imageSha256 } from '../lib/disk/image.ts'
import { sha256 } from '../lib/files/digest.ts'
import { slowDigest } from '../lib/files/slow-digest.ts'
import type { Spec } from '../lib/spec/spec.ts'

/**
 * What of the spec shows in the result, for the fingerprint: files by their content, wherever they lie. Of a signature,
 * the certificate; the key is a secret, and the same for the same certificate. Of root's password, what is no easier to
 * guess it by than its hash: customers get a digest of this.
 */
export async function inputDigests({
  name,
  pack,
}: Pick<Spec, 'name' | 'pack'>): Promise<Record<string, string>> {
  const { eula, icon, sign, hardware, root, ...plain } = pack
  const disks = await Promise.all(
    hardware.data_disks.map(async ({ size, file }) => size ?? (await imageSha256(file!))),
  )
  const licences = typeof eula === 'object' ? Object.entries(eula) : eula ? [['', eula] as const] : []
  const texts = await Promise.all(
    licences.map(async ([language, path]) => [language, sha256(await readFile(path))]),
  )
  return {
    'spec.pack': JSON.stringify([plain, { ...hardware, data_disks: disks }]),
    eula: JSON.stringify(texts),
    icon: icon ? sha256(await readFile(icon)) : '',
    certificate: sign ? sha256(await readFile(sign.certificate)) : '',
    root: await rootDigest(name, root),
  }
}

async function rootDigest(name: string, root: Spec['pack']['root']): Promise<string> {
  if (root === undefined || typeof root === 'string') return root ?? ''
  if ('key' in root) return sha256(await readFile(root.key))
  const secret = process.env[root.password.slice('env:'.length)]
  return secret === undefined
    ? root.password
    : slowDigest(`fingerprint of root on ${name}`, secret).toString('hex')
}
