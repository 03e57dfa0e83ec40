import { parse } from 'yaml'

interface ModuleDocument {
  document?: string
  data?: {
    name?: string
    stream?: string
    version?: string
    artifacts?: { rpms?: string[] }
    module?: string
    profiles?: Record<string, string[]>
  }
}

/**
 * The part of a modules.yaml that a mirror of some packages needs: the streams that are enabled, each as upstream
 * wrote it, in the version that has the packages; and each of them the default of its module, so that a client that
 * enables nothing (an installer, for one) sees them, too.
 *
 * @param streams `name:stream`
 * @param packages `name-epoch:version-release.arch`, as artefacts are called there
 * @see https://github.com/fedora-modularity/libmodulemd/tree/main/yaml_specs, modulemd version 2, modulemd-defaults
 *      version 1
 */
export function enabledModules(
  text: string,
  streams: readonly string[],
  packages: ReadonlySet<string>,
): string {
  const modules = new Set(streams.map((stream) => stream.split(':')[0]!))
  // There are thousands: only those of these modules are worth parsing.
  const read = text
    .split(/^---(?:[ \t].*)?$/m)
    .filter((source) => namesOneOf(modules, source))
    .map((source) => ({
      // As upstream wrote it: another writer's quotes and line ends would only add doubts.
      source: source.replace(/^\.\.\.\s*$/gm, '').trim(),
      // Scalars stay text: the stream 1.10 is not the number 1.1.
      ...(parse(source, { schema: 'failsafe' }) as ModuleDocument | null),
    }))
  const kept: string[] = []
  for (const stream of [...streams].sort()) {
    const all = read.filter(
      ({ document, data }) => document === 'modulemd' && `${data?.name}:${data?.stream}` === stream,
    )
    const used = all.filter(({ data }) => data?.artifacts?.rpms?.some((rpm) => packages.has(rpm)))
    const newest = all.toSorted((a, b) => compareVersions(a.data?.version, b.data?.version)).slice(-1)
    kept.push(...(used.length > 0 ? used : newest).map(({ source }) => source))
    const [module, ...rest] = stream.split(':')
    const name = rest.join(':')
    const defaults = read.find(
      ({ document, data }) => document === 'modulemd-defaults' && data?.module === module,
    )
    if (all.length > 0) kept.push(defaultStream(module!, name, defaults?.data?.profiles?.[name] ?? []))
  }
  return kept.map((document) => `---\n${document}\n...\n`).join('')
}

/** Whether a line of it is `name: MODULE` or `module: MODULE`, of the document or of something inside. */
function namesOneOf(modules: ReadonlySet<string>, source: string): boolean {
  const names = source.matchAll(/(?:^|[\s{,])(?:name|module):[ \t]*["']?([\w.+-]+)/gm)
  return [...names].some(([, name]) => modules.has(name!))
}

function compareVersions(a = '0', b = '0'): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

function defaultStream(module: string, stream: string, profiles: readonly string[]): string {
  const quoted = (word: string) => JSON.stringify(word)
  return `document: modulemd-defaults
version: 1
data:
  module: ${quoted(module)}
  stream: ${quoted(stream)}
  profiles:
    ${quoted(stream)}: [${profiles.map(quoted).join(', ')}]`
}
