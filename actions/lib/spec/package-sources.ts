import { z } from 'zod'
import { existing } from './existing.ts'
import { list, oneOf, section } from './section.ts'

const FILES = 'a file *.sources, *.list, *.repo, *.gpg, *.asc or RPM-GPG-KEY-*'
const NAMES = /\.(sources|list|repo|gpg|asc)$|(^|\/)RPM-GPG-KEY-[^/]+$/

/** What the customer's machine installs and updates from: `upstream`, `none`, or the vendor's own files. */
export const packageSources = (directory: string) =>
  z
    .union([
      oneOf(['upstream', 'none']),
      section({
        files: list(
          existing(directory, FILES).refine((path) => NAMES.test(path), { error: `expected ${FILES}` }),
          'a list of files',
        )
          .min(1, { error: 'name at least one file' })
          .describe(
            'The vendor’s: *.sources and *.list for apt, *.repo for dnf, and their keys, *.gpg, *.asc and RPM-GPG-KEY-*; the only ones it then has',
          ),
      }),
    ])
    .default('upstream')
    .meta({
      description:
        'upstream: those that the base machine has; none: no sources; { files: … }: the vendor’s and no others',
    })
