import { join } from 'node:path'
import { type Ext4Programs, quoted } from './ext4-programs.ts'

/** An extended attribute, and the file of this computer that holds its value, as it lies on the disk. */
interface Attribute {
  name: string
  file: string
}

/**
 * Extended attributes of files, SELinux's labels, capabilities and ACLs among them, by path; files without any are left
 * out. Values are put into a folder, which has to be there.
 */
export async function attributesOf(
  root: Ext4Programs,
  paths: readonly string[],
  folder: string,
): Promise<Map<string, Attribute[]>> {
  const found = new Map<string, Attribute[]>()
  if (paths.length === 0) return found
  const output = await root.debugfs(paths.map((path) => `ea_list ${quoted(path)}`))
  const sections = output.split(/^debugfs: .*$/m).slice(1)
  const commands: string[] = []
  for (const [index, path] of paths.entries()) {
    const names = [...(sections[index] ?? '').matchAll(/^ {2}(\S+) \(\d+\)/gm)].map(([, name]) => name!)
    const all = names.map((name, at) => ({ name, file: join(folder, `attribute-${index}-${at}`) }))
    if (all.length > 0) found.set(path, all)
    for (const { name, file } of all) commands.push(`ea_get -r -f ${quoted(file)} ${quoted(path)} ${name}`)
  }
  if (commands.length > 0) await root.debugfs(commands)
  return found
}

/** What gives a file that was written anew the attributes that it had. */
export function withAttributes(path: string, attributes: readonly Attribute[] = []): string[] {
  return attributes.map(({ name, file }) => `ea_set -r -f ${quoted(file)} ${quoted(path)} ${name}`)
}
