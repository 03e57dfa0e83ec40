import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { refuse } from '../lib/errors/fault.ts'
import { flag, type InputValues, path } from '../lib/stage/input.ts'
import type { Check } from '../ova-pack/trust/check.ts'
import { verifyOva } from '../ova-pack/trust/verify.ts'
import type { Door } from './inside.ts'

export const verifyInputs = {
  ova: path('The OVA; also without a flag: appliance verify FILE.ova'),
  certificate: path("The maker's certificate (PEM), got by another way than the OVA"),
  all: flag('What is not there (signature, SBOM, provenance) is a fault, too'),
}

/** `appliance verify FILE.ova`: on a customer's computer, whether this is what was made. Needs no spec. */
export async function verify(values: Record<string, unknown>, { log, signal, entry }: Door): Promise<void> {
  const { ova, certificate, all } = values as InputValues<typeof verifyInputs>
  if (ova === undefined) return refuse([{ message: 'verify needs an OVA: appliance verify FILE.ova' }])
  for (const file of certificate ? [ova, certificate] : [ova])
    if (!(await stat(file).catch(() => undefined))?.isFile())
      refuse([{ message: `${file}: there is no such file` }])
  if (/\.(qcow2|vmdk|vhdx|raw\.zst|box)$/.test(ova))
    refuse([
      {
        message: `${ova}: verify looks into OVAs; whether this is what was made, README.txt beside it says how to see: sha256sum --ignore-missing -c SHA256SUMS`,
      },
    ])
  if (certificate) await refuseUnlessCertificate(certificate)
  const checks = await verifyOva(resolve(ova), { ...(certificate && { certificate }), log, signal })
  for (const check of checks)
    console.log(entry.includes('--json') ? JSON.stringify({ level: 'check', ...check }) : line(check))
  const faults = checks.filter(({ fault, absent }) => fault !== undefined || (all && absent))
  if (faults.length > 0)
    throw new ApplianceError(
      'check-failed',
      `${basename(ova)} is not as its maker made it, or not whole: ${faults.map(({ title }) => title).join(', ')}`,
      {
        hint: 'Do not import it: fetch it again, and ask its maker if that does not help.',
      },
    )
  log.info(`${basename(ova)}: everything that is there is right`)
}

async function refuseUnlessCertificate(path: string): Promise<void> {
  try {
    new X509Certificate(await readFile(path))
  } catch {
    refuse([{ message: `--certificate: ${path} is no PEM certificate (openssl x509 -in ${path} shows one)` }])
  }
}

function line({ title, fault, absent, says }: Check): string {
  const state = fault !== undefined ? 'WRONG ' : absent ? 'absent' : 'ok    '
  const more = fault ?? says
  return `${state}  ${title}${more ? `: ${more}` : ''}`
}
