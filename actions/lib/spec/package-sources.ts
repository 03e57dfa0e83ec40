import { z } from 'zod'
import { existing } from './existing.ts'
import { list, oneOf, section } from './section.ts'

/** What the customer's machine installs and updates from: `upstream`, `none`, or the vendor's own files. */
export const packageSources = (directory: string) =>
  z
    .union([
      oneOf(['upstream', 'none']),
      section({
        files: list(
          existing(directory, 'a file *.sources, *.list, *.repo, *.gpg or *.asc').refine(
            (path) => /\.(sources|list|repo|gpg|asc)$/.test(path),
            { error: 'expected a file *.sources, *.list, *.repo, *.gpg or *.asc' },
          ),
          'a list of files',
        )
          .min(1, { error: 'name at least one file' })
          .describe(
            'The vendor’s: *.sources and *.list for apt, *.repo for dnf, and their keys, *.gpg and *.asc; the only ones it then has',
          ),
      }),
    ])
    .default('upstream')
    .meta({
      description:
        'upstream: those that the base machine has; none: no sources; { files: … }: the vendor’s and no others',
    })
