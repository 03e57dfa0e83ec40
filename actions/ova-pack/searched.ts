import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Spec } from '../lib/spec/spec.ts'
import { type Needle, publicKey, secretText } from './secrets.ts'

/** What of the spec's secrets is looked for on the disks, and what could not be. */
export interface Searched {
  needles: Needle[]
  /** For people: which, and why not. */
  unsearched: string[]
}

/** Shorter texts are on every disk, by chance. */
const SHORTEST = 8

/** A secret of the spec's, by where that says it is. */
interface Secret {
  name: string
  /** `env:NAME`, or a file. */
  source: string
  /** A key counts by its lines, whose form and place differ from file to file. */
  key?: true
}

/**
 * Everything that the spec keeps out of itself, in clear text, and the build's own key.
 *
 * @param buildKey path of the private key, `.pub` beside it
 */
export async function searchedSecrets(
  spec: Spec,
  buildKey: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Searched> {
  const found: Searched = { needles: [publicKey(await readFile(`${buildKey}.pub`, 'utf8'))], unsearched: [] }
  for (const { name, source, key } of distinct([...secretsOf(spec), buildSecret(buildKey)])) {
    const variable = source.startsWith('env:') ? source.slice('env:'.length) : undefined
    const value = variable === undefined ? await readFile(source, 'utf8') : environment[variable]
    if (!value) {
      found.unsearched.push(`${name}: ${variable} is not set in the environment`)
      continue
    }
    // A hash is on the disk by right.
    if (/^\$(y|gy|7|6|5|2[aby])\$/.test(value)) continue
    const texts = key ? keyLines(value) : textsOf(value)
    if (texts.length === 0)
      found.unsearched.push(`${name}: ${variable ?? basename(source)} has fewer than ${SHORTEST} characters`)
    found.needles.push(...texts.map((text) => secretText(name, text)))
  }
  return found
}

/** Several steps may open their data bags with one secret. */
function distinct(all: readonly Secret[]): Secret[] {
  return [...new Map(all.map((secret) => [`${secret.name} ${secret.source}`, secret])).values()]
}

function buildSecret(path: string): Secret {
  return { name: "the build's private key", source: path, key: true }
}

function secretsOf({ secrets, pack, provision, basebox, mirror }: Spec): Secret[] {
  const all: Secret[] = Object.entries(secrets)
    .filter(([, source]) => source.startsWith('env:'))
    .map(([name, source]) => ({ name: `the secret ${name}`, source }))
  const { root, sign } = pack
  if (typeof root === 'object' && 'password' in root)
    all.push({ name: 'pack.root.password', source: root.password })
  if (sign && !sign.key.startsWith('pkcs11:'))
    all.push({ name: 'pack.sign.key', source: sign.key, key: true })
  for (const step of provision) {
    if (step.kind !== 'chef_solo' || !step.dataBagSecret) continue
    const { env, file } = step.dataBagSecret
    all.push({
      name: 'the secret of the data bags',
      source: env === undefined ? file! : `env:${env}`,
    })
  }
  for (const { name, password } of basebox.bootstrap?.users ?? [])
    if (password?.startsWith('env:')) all.push({ name: `the password of ${name}`, source: password })
  for (const { name, auth } of [...mirror.file, ...mirror.iso])
    for (const source of [auth?.password, auth?.token])
      if (source) all.push({ name: `the credentials of mirror ${name}`, source })
  return all
}

/** The text as it stands, and, of several lines, the longest. */
function textsOf(value: string): string[] {
  const text = value.trim()
  const longest = text.split(/\r?\n/).reduce((a, b) => (b.length > a.length ? b : a), '')
  return [...new Set([text, longest])].filter((one) => one.length >= SHORTEST)
}

/**
 * Two lines of a key's base64 in each form that keys are kept in, from where it is secret: the first third says what
 * kind it is, and holds the public half.
 */
function keyLines(pem: string): string[] {
  const forms = [pem]
  try {
    const key = createPrivateKey(pem)
    forms.push(key.export({ type: 'pkcs8', format: 'pem' }).toString())
    if (key.asymmetricKeyType === 'rsa') forms.push(key.export({ type: 'pkcs1', format: 'pem' }).toString())
  } catch {
    // One that Node does not read (OpenSSH's own form) has its own lines alone.
  }
  return [...new Set(forms.flatMap(secretLines))]
}

function secretLines(pem: string): string[] {
  const lines = pem.split(/\r?\n|\\n/).filter((line) => /^[A-Za-z0-9+/=]{8,}$/.test(line))
  return [0.6, 0.8].flatMap((part) => lines[Math.floor(lines.length * part)] ?? [])
}
