import { readFile } from 'node:fs/promises'
import type { Fault } from '../lib/errors/fault.ts'
import type { Spec } from '../lib/spec/spec.ts'
import { isPng } from './describe.ts'
import { signFaults } from './trust/signer.ts'

/** What is wrong with the files that `pack:` names, beside their being there. */
export async function givenFileFaults({ icon, root, sign }: Spec['pack']): Promise<Fault[]> {
  const faults: Fault[] = []
  if (icon !== undefined && !isPng(await readFile(icon)))
    faults.push({ message: `pack.icon: ${icon} is no PNG, which importers show everywhere` })
  if (typeof root === 'object' && 'key' in root)
    faults.push(...keyFaults(root.key, await readFile(root.key, 'utf8')))
  if (sign) faults.push(...(await signFaults(sign)))
  return faults
}

/** @see sshd(8), "AUTHORIZED_KEYS FILE FORMAT": options, kind, key; the key begins with its kind once more */
const PUBLIC_KEY = /(?:^|\s)((?:ssh|ecdsa|sk)-[\w.@-]+)[ \t]+([A-Za-z0-9+/]{40,}={0,3})(?:\s|$)/

function keyFaults(path: string, text: string): Fault[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return [
      { message: `pack.root.key: ${path} is a private key; the public one, ${path}.pub, is what root needs` },
    ]
  const lines = text.split('\n').filter((line) => /^\s*[^#\s]/.test(line))
  const wrong = lines.findIndex((line) => {
    const [, kind = '', key = ''] = PUBLIC_KEY.exec(line) ?? []
    return !kind || !Buffer.from(key, 'base64').toString('latin1', 4).startsWith(kind)
  })
  if (lines.length === 0 || wrong >= 0)
    return [
      {
        message: `pack.root.key: ${path} ${lines.length === 0 ? 'holds no key' : `has a line that is no public key: ${JSON.stringify(lines[wrong]!.slice(0, 40))}`}; ssh-keygen -y -f PRIVATE_KEY prints one`,
      },
    ]
  return []
}
