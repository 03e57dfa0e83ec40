import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { parseSize } from '../units/size.ts'
import { expected, list, matching, oneOf, section, words } from './section.ts'
import { user } from './user.ts'

/** What an argument of the kernel may be, so that GRUB and the kernel read it as one. */
const argument = matching(
  /^[A-Za-z0-9_][\w.,:=/+@%-]*$/,
  'one argument of the kernel, without blanks or quotation marks, e.g. quiet or net.ifnames=0',
).refine((text) => !/^(root|ro|rw|console|initrd|BOOT_IMAGE)(=|$)/.test(text), {
  error: ({ input }) => `${input} is not yours to set: the base machine says it itself`,
})

/** `none` → 0, `1 GiB` → bytes. */
const swap = () => {
  const error = expected('none, or a size such as 1 GiB')
  return z
    .string({ error })
    .meta({ pattern: '^(none|\\s*\\d+(\\.\\d+)?\\s*([kMGT]?B|[KMGT]iB)\\s*)$' })
    .transform((written, context) => {
      const bytes = written === 'none' ? 0 : parseSize(written)
      if (bytes === undefined) context.addIssue({ code: 'custom', message: error({ input: written }) })
      return bytes ?? 0
    })
}

/** A base machine that is made straight from the mirror. */
export const bootstrap = (directory: string) =>
  section({
    suite: words('a suite, e.g. bookworm').optional().describe('E.g. bookworm'),
    packages: list(words('a package'), 'a list of packages')
      .default([])
      .describe(
        'Beyond what any base machine has; a kernel (linux-image-…) takes the place of the usual one',
      ),
    locale: matching(
      /^(C|POSIX|C\.UTF-8|[a-z]{2,3}_[A-Z]{2}\.UTF-8(@[a-z]+)?)$/,
      'a locale such as C.UTF-8 or de_DE.UTF-8',
    )
      .default('C.UTF-8')
      .describe('Language and customs of the system; another one than C.UTF-8 needs the package locales'),
    timezone: timezone().default('UTC').describe('E.g. Europe/Berlin; another one than UTC needs tzdata'),
    keymap: matching(/^[a-z]{2,8}(\([a-z0-9_-]+\))?$/, 'a keyboard layout such as de or de(nodeadkeys)')
      .optional()
      .describe('Of the screen’s keyboard, as XKB calls it: de, fr, ch(fr); needs console-setup'),
    users: list(user(directory), 'a list of users')
      .default([])
      .superRefine((users, context) => {
        for (const [index, { name }] of users.entries())
          if (users.findIndex((one) => one.name === name) < index)
            context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is there twice` })
      })
      .describe('Accounts beside root, who may not log in by password'),
    kernel_arguments: list(argument, 'a list of arguments of the kernel')
      .default([])
      .describe('E.g. [quiet, net.ifnames=0]'),
    filesystem: oneOf(['ext4', 'xfs'])
      .default('ext4')
      .describe('Of the root partition; xfs is what installers of RHEL and its like make'),
    swap: swap()
      .default(0)
      .meta({ default: 'none' })
      .describe('none, or the size of a swap file, which the machine makes at its first boot: 1 GiB'),
  }).transform(({ kernel_arguments: kernelArguments, ...rest }) => ({ ...rest, kernelArguments }))

export type Bootstrap = z.output<ReturnType<typeof bootstrap>>

/** Where a definition is made from the mirror, and the spec says nothing about how. */
export function usualBootstrap(): Bootstrap {
  return bootstrap('/').parse({})
}

/** As tzdata calls it, letter for letter: the name becomes a path. */
function timezone() {
  const known = () => Intl.supportedValuesOf('timeZone')
  return words('a time zone such as Europe/Berlin').superRefine((zone, context) => {
    const usual = known().find((name) => name.toLowerCase() === zone.toLowerCase())
    if (usual === zone || (usual === undefined && isZone(zone))) return
    const near = usual ?? nearest(zone, known())
    const message = `there is no time zone ${zone}${near ? `; did you mean ${near}?` : ''}`
    context.addIssue({ code: 'custom', message })
  })
}

/** Aliases are no supported values, but zones: UTC, Asia/Kolkata. */
function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return /^[A-Z][A-Za-z0-9+/_-]*$/.test(zone)
  } catch {
    return false
  }
}
