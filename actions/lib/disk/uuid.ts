import { sha256 } from '../files/digest.ts'

/**
 * A UUID that is the same whenever the seed is: version 8, "custom" (RFC 9562 §5.8). Identifiers of disks and file
 * systems come from it, so that two builds of the same inputs have the same ones.
 */
export function uuidOf(seed: string): string {
  const hex = sha256(seed)
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
