import { readFile, rm, writeFile } from 'node:fs/promises'
import { unarmor } from 'openpgp'
import { run } from '../../lib/process/command.ts'

export interface SignedFile {
  /** The clearsigned file, or the detached signature. */
  signature: string
  /** What a detached signature is of. */
  of?: string
  /** Keys that may sign it, binary or armoured. */
  keyring: string
  /** A folder for what is only needed here. */
  scratch: string
  signal: AbortSignal
}

export interface Verdict {
  /** What was signed, and nothing of what may stand around it; undefined when nobody we know signed it. */
  text?: string
  /** Why nobody did, a few words; or, beside the text, what a person should know. */
  said: string[]
}

/**
 * Who signed a Release file, by gpgv and the keys of a keyring. What matters is that a key was good when it signed:
 * that it has expired since is what years do to keys.
 *
 * @see GnuPG's doc/DETAILS, "Format of the --status-fd output"
 */
export async function verdictOn(file: SignedFile): Promise<Verdict> {
  const { good, said } = await signersOf(file)
  if (!good) return { said }
  return { text: await readFile(file.of ?? signedText(file), 'utf8'), said }
}

/** Where gpgv writes what a clearsigned file signs. */
function signedText({ scratch }: SignedFile): string {
  return `${scratch}/signed`
}

/** Whether somebody we know signed a file, however large, and what is to be said of that. */
export async function signersOf(file: SignedFile): Promise<{ good: boolean; said: string[] }> {
  const keyring = `${file.scratch}/keyring.gpg`
  const output = signedText(file)
  await writeFile(keyring, await binaryKeys(file.keyring))
  await rm(output, { force: true })
  const files = file.of === undefined ? ['--output', output, file.signature] : [file.signature, file.of]
  const { stdout } = await run(
    'gpgv',
    ['--status-fd', '1', '--weak-digest', 'SHA1', '--keyring', keyring, ...files],
    { signal: file.signal, allowFailure: true, env: { GNUPGHOME: file.scratch } },
  )
  const signers = stdout
    .split(/^\[GNUPG:\] NEWSIG.*$/m)
    .slice(1)
    .map(signerOf)
  const forged = signers.flatMap(({ forged }) => forged ?? [])
  const good = signers.filter(({ fault, forged }) => !fault && !forged)
  if (forged.length > 0 || good.length === 0) {
    const faults = [...forged, ...signers.flatMap(({ fault }) => fault ?? [])]
    return { good: false, said: faults.length > 0 ? [...new Set(faults)] : ['it is not signed'] }
  }
  return { good: true, said: good.flatMap(({ note }) => note ?? []) }
}

interface Signer {
  /** Its signature counts for nothing; another one may do. */
  fault?: string
  /** One such signature is one too many. */
  forged?: string
  note?: string
}

function signerOf(status: string): Signer {
  const words = (keyword: string) =>
    new RegExp(`^\\[GNUPG:\\] ${keyword} (.*)$`, 'm').exec(status)?.[1]?.split(' ')
  const bad = words('BADSIG')
  if (bad) return { forged: `key ${bad[0]} did not sign these bytes: somebody changed them` }
  const unknown = words('NO_PUBKEY')
  if (unknown) return { fault: `it is signed by key ${unknown[0]}, which is not among the keys` }
  const revoked = words('REVKEYSIG')
  if (revoked) return { fault: `it is signed by key ${revoked[0]}, which was revoked` }
  const valid = words('VALIDSIG')
  if (!valid) {
    const wrong = words('ERRSIG')
    return { fault: wrong ? `the signature by key ${wrong[0]} cannot be checked` : 'it is not signed' }
  }
  const signed = Number(valid[2])
  const outlived = words('EXPSIG')
  if (outlived)
    return { note: `the signature by key ${outlived[0]} has expired since (${day(Number(valid[3]))})` }
  const expired = words('EXPKEYSIG')
  if (!expired) return {}
  const ends = [...status.matchAll(/^\[GNUPG:\] KEYEXPIRED (\d+)/gm)].map(([, end]) => Number(end))
  const end = Math.min(...ends)
  return signed < end
    ? { note: `key ${expired[0]} has expired since (${day(end)})` }
    : { fault: `it was signed on ${day(signed)} by key ${expired[0]}, which had expired on ${day(end)}` }
}

function day(seconds: number): string {
  return Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString().slice(0, 10) : 'an unknown day'
}

/** gpgv reads binary keyrings only; apt and users have armoured ones, too. */
export async function binaryKeys(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path)
  if (!bytes.subarray(0, 1000).toString('latin1').includes('-----BEGIN PGP')) return bytes
  const blocks = bytes.toString('latin1').match(/-----BEGIN PGP [\s\S]*?-----END PGP [^\n]*/g) ?? []
  const keys = await Promise.all(blocks.map(async (block) => (await unarmor(block)).data as Uint8Array))
  return Buffer.concat(keys)
}
