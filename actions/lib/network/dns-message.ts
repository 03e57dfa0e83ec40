/** What a resolver is asked. */
export interface Question {
  /** Lower case, without a final dot; bytes that are no plain characters as `\ddd`. */
  name: string
  /** `A`, `AAAA`, or `TYPE65` (RFC 3597, 5). */
  type: string
}

const HEADER = 12
const types: Record<number, string> = { 1: 'A', 12: 'PTR', 28: 'AAAA' }

/**
 * The question of a DNS query; undefined for an answer, or what is none.
 *
 * @see RFC 1035, 4.1.1 and 4.1.2
 */
export function questionIn(message: Buffer): Question | undefined {
  const end = questionEnd(message)
  if (end === undefined || message[2]! & 0x80) return undefined
  const labels: string[] = []
  for (let at = HEADER; message[at] !== 0; at += message[at]! + 1)
    labels.push(plain(message.subarray(at + 1, at + 1 + message[at]!)))
  const type = message.readUInt16BE(end - 4)
  return { name: labels.join('.').toLowerCase(), type: types[type] ?? `TYPE${type}` }
}

/** The answer that there is no such name; undefined where nothing was asked. */
export function noSuchName(query: Buffer): Buffer | undefined {
  const end = questionEnd(query)
  if (end === undefined) return undefined
  const answer = Buffer.from(query.subarray(0, end))
  // QR, the query's opcode and RD; RA; NXDOMAIN.
  answer[2] = 0x80 | (query[2]! & 0x79)
  answer[3] = 0x80 | 3
  answer.writeUInt16BE(1, 4)
  answer.fill(0, 6, HEADER)
  return answer
}

/** Where the first question ends. Names in questions are not compressed. */
function questionEnd(message: Buffer): number | undefined {
  if (message.length < HEADER || message.readUInt16BE(4) === 0) return undefined
  let at = HEADER
  while (at < message.length && message[at] !== 0) {
    if (message[at]! > 63) return undefined
    at += message[at]! + 1
  }
  return at + 5 <= message.length ? at + 5 : undefined
}

function plain(label: Buffer): string {
  return label.toString('latin1').replace(/[^\x21-\x7e]|[.\\]/g, (character) => {
    return `\\${character.charCodeAt(0).toString().padStart(3, '0')}`
  })
}
