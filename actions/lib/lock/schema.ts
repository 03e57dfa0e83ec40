import { z } from 'zod'
import { count, list, matching, oneOf, section } from '../spec/section.ts'
import { NOASSERTION } from './lock.ts'

const digest = matching(/^[0-9a-f]{64}$/, 'a SHA-256: 64 digits of 0-9 and a-f')
const artefact = { size: count(0), sha256: digest }
const license = z.string().default(NOASSERTION)
const licensed = { license, ...artefact }
/** Names that become paths: nothing that could lead out of the store or the tree. */
const word = matching(/^[A-Za-z0-9][A-Za-z0-9.+~_:-]*$/, 'a name or version')
const relativePath = matching(/^(?!.*(^|\/)\.\.(\/|$))[^/].*$/, 'a path inside the repository')
const commit = matching(/^[0-9a-f]{40}$/, 'a commit: 40 digits of 0-9 and a-f')
const evidence = list(section({ path: relativePath, ...artefact })).default([])

const debRepository = section({
  name: word,
  uri: z.string(),
  suites: list(z.string()),
  components: list(z.string()),
  snapshot: z.string().optional(),
  timestamp: z.string(),
  evidence,
  packages: list(section({ name: word, version: z.string(), arch: word, path: relativePath, ...licensed })),
})

const rpmRepository = section({
  name: word,
  baseurl: z.string(),
  mirrors: list(z.string()).default([]),
  mirrorlist: z.string().optional(),
  metalink: z.string().optional(),
  snapshot: z.string().optional(),
  timestamp: z.string(),
  evidence,
  modules: list(z.string()).default([]),
  groups: list(z.string()).default([]),
  packages: list(section({ name: word, version: z.string(), arch: word, path: relativePath, ...licensed })),
})

const git = section({
  name: word,
  url: z.string(),
  ref: z.string(),
  kind: oneOf(['tag', 'branch', 'commit']),
  commit,
  tag: commit.optional(),
  objects: digest,
  size: count(0).optional(),
  license,
  submodules: list(
    section({
      name: word,
      path: relativePath,
      url: z.string(),
      commit,
      objects: digest,
      size: count(0).optional(),
    }),
  ).default([]),
})

const gemSource = section({
  name: word,
  source: z.string(),
  for: oneOf(['guest', 'host', 'tools']),
  gems: list(section({ name: word, version: word, platform: word, ...licensed })),
  git: list(git).default([]),
})

const file = section({
  name: word,
  url: z.string(),
  mirrors: list(z.string()),
  sha512: matching(/^[0-9a-f]{128}$/, 'a SHA-512: 128 digits of 0-9 and a-f').optional(),
  ...licensed,
  evidence,
})

const cookbooks = section({
  name: z.string(),
  solution: z.string(),
  cookbooks: list(section({ name: word, version: word, url: z.string(), ...artefact })),
  git: list(git).default([]),
  fromGit: list(section({ name: word, version: word, repository: word, commit, folder: z.string() })).default(
    [],
  ),
  local: list(section({ name: word, path: z.string() })).default([]),
})

/** The lock's own grammar; keys come out in the order in which they are written here. */
export const lockSchema = section({
  schema: z.literal(1),
  arch: z.literal('amd64'),
  for: z.record(z.string(), digest),
  archive: section({ url: z.string(), ...artefact }).optional(),
  deb: list(debRepository),
  rpm: list(rpmRepository).default([]),
  gem: list(gemSource),
  git: list(git),
  file: list(file),
  iso: list(file).default([]),
  cookbook: list(cookbooks).optional(),
  tools: section({ deb: list(debRepository), gem: list(gemSource) }),
})
