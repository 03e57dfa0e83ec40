import { z } from 'zod'
import { controllers } from '../ovf/hardware.ts'
import { guestSystems } from '../ovf/operating-system.ts'
import { existing } from './existing.ts'
import { property, settingGroups } from './property.ts'
import { count, expected, list, mapOf, matching, oneOf, section, size, sizeOr, words } from './section.ts'

/** What one disk can be shipped as. */
export const formats = ['ova', 'qcow2', 'vmdk', 'vhdx', 'raw.zst', 'box'] as const
export type Format = (typeof formats)[number]

export const levels = ['fast', 'normal', 'small'] as const
export type Level = (typeof levels)[number]

const network = section({
  name: words('a name').describe('As the importer shows it: the customer maps it to one of theirs'),
  kind: oneOf(['vmxnet3', 'e1000', 'e1000e']).default('vmxnet3'),
  description: words('text').optional(),
})

const dataDisk = (directory: string) =>
  section({
    size: size('100 GiB').optional().describe('An empty disk of this size'),
    file: existing(directory, 'a disk image')
      .optional()
      .describe('A disk image: qcow2 (overlays, too), raw, vmdk, vhdx'),
  }).superRefine(({ size, file }, context) => {
    if ((size === undefined) === (file === undefined))
      context.addIssue({ code: 'custom', message: 'expected either size or file' })
  })

const hardware = (directory: string) =>
  section({
    cpus: count(1).optional(),
    memory: size('2 GiB').optional().describe('E.g. 2 GiB'),
    disk: sizeOr('minimal', '20 GiB')
      .optional()
      .describe(
        'E.g. 20 GiB; the root fills it. minimal: as small as its content allows, for customers who enlarge it',
      ),
    networks: list(network, 'a list of networks')
      .default([])
      .describe('A network card each; default: one, VM Network'),
    firmware: oneOf(['bios', 'efi'])
      .default('bios')
      .describe('What the importer is told; our disks boot by both'),
    controller: oneOf(Object.keys(controllers) as [keyof typeof controllers, ...(keyof typeof controllers)[]])
      .default('lsilogic')
      .describe('Of the disks'),
    version: count(8, 22).default(13).describe('N of vmx-N: 13 is ESXi 6.5'),
    guest_os: oneOf(guestSystems).optional().describe('Default: what /etc/os-release says'),
    data_disks: list(dataDisk(directory), 'a list of disks').default([]).describe('Further disks'),
  }).prefault({})

/** Where a private key is: never in the spec. */
const key = (directory: string) =>
  words('a key').transform((written, context) => {
    if (/^env:[A-Za-z_][A-Za-z0-9_]*$/.test(written) || /^pkcs11:/.test(written)) return written
    if (/^(env|pkcs11)/.test(written))
      context.addIssue({ code: 'custom', message: 'expected env:NAME, a pkcs11: URI or a file' })
    const file = existing(directory, 'a private key (PEM)').safeParse(written)
    if (!file.success)
      for (const { message } of file.error.issues) context.addIssue({ code: 'custom', message })
    return file.success ? file.data : written
  })

const root = (directory: string) =>
  z
    .union(
      [
        oneOf(['locked', 'asks-at-first-boot']),
        section({ password: matching(/^env:[A-Za-z_][A-Za-z0-9_]*$/, 'env:NAME') }),
        section({ key: existing(directory, 'a public key (one or more lines of authorized_keys)') }),
      ],
      { error: expected('locked, asks-at-first-boot, { password: env:NAME } or { key: FILE }') },
    )
    .optional()

const extra = section({
  remove: matching(/^[/~]/, 'an absolute path or pattern such as /var/cache/app/*').describe(
    'Pattern of paths; ~/ is every user’s home',
  ),
  reason: words('why it must not be shipped'),
})

const allowed = section({
  path: words('a path in the guest, or the name of a data disk’s file').describe(
    'Pattern of paths such as /opt/app/demo/*.pem; of a data disk, its file’s name',
  ),
  reason: words('why every customer may have the same'),
})

/** `pack:`; paths in it begin at `directory`. */
export const pack = (directory: string) =>
  section({
    formats: list(oneOf(formats), 'a list of ova, qcow2, vmdk, vhdx, raw.zst, box')
      .min(1, { error: 'name at least one of ova, qcow2, vmdk, vhdx, raw.zst, box' })
      .superRefine((named, context) => {
        for (const [index, format] of named.entries())
          if (named.indexOf(format) < index)
            context.addIssue({ code: 'custom', path: [index], message: `${format} is there twice` })
      })
      .default(['ova']),
    level: oneOf(levels).default('normal').describe('How hard disks are compressed'),
    hardware: hardware(directory).describe('What the customer gets'),
    eula: z
      .union([existing(directory, 'a text file'), mapOf(existing(directory, 'a text file'), 'a map')], {
        error: expected('a text file, or a map from languages (en, de-CH) to text files'),
      })
      .optional()
      .describe('Shown on import; a file, or a map from languages to files, the first for all others'),
    annotation: words('text').optional().describe('Shown on import'),
    icon: existing(directory, 'a picture (PNG)').optional().describe('PNG, shown on import'),
    settings: list(oneOf(settingGroups))
      .default([...settingGroups])
      .describe('What every site sets, offered on import and applied at first boot by an agent in the guest'),
    properties: list(property, 'a list of properties')
      .default([])
      .describe('Further settings of your own, offered on import and handed to first_boot scripts'),
    root: root(directory).describe('How root gets in at the customer’s (default: as provisioning left it)'),
    seal: section({
      skip: list(words('the name of an operation'))
        .default([])
        .describe(
          'Operations of the sealing that are not wanted, by their names in docs/ova.md and the report',
        ),
      extra: list(extra, 'a list of { remove, reason }')
        .default([])
        .describe('What else must not be shipped'),
      allow: list(allowed, 'a list of { path, reason }')
        .default([])
        .describe('Private keys and tokens that may stay: every customer has the same'),
    }).prefault({}),
    sign: section({
      key: key(directory).describe('RSA private key: env:NAME (PEM), a file, or a pkcs11: URI'),
      certificate: existing(directory, 'a certificate (PEM)'),
    })
      .optional()
      .describe('Signs the manifest (.cert) and SHA256SUMS'),
    lint: section({
      ignore: list(words('a rule of appliance lint'))
        .default([])
        .describe('Rules of appliance lint that do not count for this appliance'),
    })
      .prefault({})
      .describe('What the packed OVA is looked at for'),
  })
