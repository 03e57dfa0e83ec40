import { open } from 'node:fs/promises'
import { ApplianceError } from '../errors/error.ts'
import { sha256, sha256File } from '../files/digest.ts'
import { run } from '../process/command.ts'

export type ImageFormat = 'qcow2' | 'vmdk' | 'raw'

/** A disk image's format by its first bytes; whatever has none of the others' is raw. */
export async function imageFormat(path: string): Promise<ImageFormat> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
  const magic = buffer.toString('latin1', 0, bytesRead)
  return magic === 'QFI\xfb' ? 'qcow2' : magic === 'KDMV' ? 'vmdk' : 'raw'
}

/**
 * SHA-256 of a disk image: of the file, where that is all there is; of an overlay, that over the digests of all the
 * images it needs, topmost first.
 *
 * @throws ApplianceError `input` where one of them is not there
 */
export async function imageSha256(path: string, signal?: AbortSignal): Promise<string> {
  const digests: string[] = []
  for (const image of await chainOf(path, signal)) digests.push(await sha256File(image, signal))
  return digests.length === 1 ? digests[0]! : sha256(digests.join(' '))
}

/** The image and those it is an overlay of. */
async function chainOf(path: string, signal: AbortSignal | undefined): Promise<string[]> {
  // What a raw disk begins with is its guest's doing: it must not make us read other files.
  if ((await imageFormat(path)) === 'raw') return [path]
  const options = { allowFailure: true, ...(signal && { signal }) }
  const result = await run('qemu-img', ['info', '-U', '--backing-chain', '--output=json', path], options)
  if (result.status !== 0)
    throw new ApplianceError('input', `${path}: ${result.stderr.trim().split('\n').at(-1)}`, {
      hint: 'An overlay needs all the images below it: `qemu-img rebase -b ""` makes it one that needs none.',
    })
  return (JSON.parse(result.stdout) as { filename: string }[]).map(({ filename }) => filename)
}
