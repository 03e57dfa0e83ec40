import { type Asked, shown } from './asked.ts'
import type { IsoDigest, IsoImage } from './recipe-types.ts'

/** Hexadecimal digits of a digest. */
const LENGTHS: Readonly<Record<IsoDigest, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 }

/** The image to install from: where it comes from, and every digest that was declared. */
export function readIso(asked: Asked, strategy: 'install' | 'bootstrap'): IsoImage | undefined {
  const digests = (Object.keys(LENGTHS) as IsoDigest[]).flatMap((algorithm) => readDigest(asked, algorithm))
  const source = asked.text('iso_src')
  const file = asked.text('iso_file') ?? source?.split('/').at(-1)
  if (file === undefined) {
    const unknown = asked.unknown.has('iso_file') || asked.unknown.has('iso_src')
    const reported = asked.value('iso_file') !== undefined && asked.value('iso_file') !== ''
    if (strategy === 'install' && !unknown && !reported)
      asked.missing('declares no iso_file: there is nothing to install from')
    return undefined
  }
  const seen = new Map<string, string>()
  for (const { algorithm, hex } of digests) {
    if (seen.has(algorithm) && seen.get(algorithm) !== hex)
      asked.fault(
        `iso_${algorithm}`,
        `two different ${algorithm.toUpperCase()} digests are declared for ${file}`,
      )
    seen.set(algorithm, hex)
  }
  const unique = [...seen].map(([algorithm, hex]) => ({ algorithm: algorithm as IsoDigest, hex }))
  return { file, source, digests: unique, instructions: asked.text('iso_download_instructions') }
}

/** Definitions hold digests of another kind than their key says, and cut ones: the length tells. */
function readDigest(asked: Asked, algorithm: IsoDigest): { algorithm: IsoDigest; hex: string }[] {
  const name = `iso_${algorithm}`
  const hex = asked.text(name)?.trim().toLowerCase()
  if (hex === undefined) return []
  if (!/^[0-9a-f]+$/.test(hex)) {
    asked.warn(name, `${name} is ${shown(hex)}, which is no digest, and is ignored`)
    return []
  }
  if (hex.length === LENGTHS[algorithm]) return [{ algorithm, hex }]
  const meant = (Object.keys(LENGTHS) as IsoDigest[]).find((kind) => LENGTHS[kind] === hex.length)
  asked.warn(
    name,
    meant
      ? `${name} has the ${hex.length} digits of a ${meant.toUpperCase()} digest and is taken as one: declare it as iso_${meant}`
      : `${name} has ${hex.length} digits instead of ${LENGTHS[algorithm]} and is ignored`,
  )
  return meant ? [{ algorithm: meant, hex }] : []
}
