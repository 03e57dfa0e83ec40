import { mkdir, open, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'

const MIB = 2 ** 20

/** What a sample disk holds: path → text, a link, or an empty folder. */
export type Files = Record<string, string | Buffer | { link: string } | 'folder'>

/** Where the root partition of a sample disk begins. Bytes. */
export const ROOT = 3 * MIB

/**
 * A raw disk with a GPT (by sfdisk) and an ext4 root (by mke2fs) that holds the given files; needs no root rights.
 *
 * @param size of the disk in MiB
 */
export async function sampleDisk(path: string, files: Files, size = 48): Promise<string> {
  const tree = `${path}.tree`
  await placeFiles(tree, files)
  await writeFile(path, '')
  await truncate(path, size * MIB)
  const table = `label: gpt
start=2048, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
start=4096, size=1MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
start=${ROOT / 512}, size=${size - 4}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
`
  await run('sfdisk', ['-q', path], { input: table })
  const features = ['-E', `offset=${ROOT},root_owner=0:0`, '-J', 'size=4']
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', ...features, '-d', tree, path, `${size - 4}M`])
  await rm(tree, { recursive: true })
  return path
}

/** Files into a folder, which is made. */
export async function placeFiles(tree: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(tree, name)
    await mkdir(content === 'folder' ? file : dirname(file), { recursive: true })
    if (content === 'folder') continue
    if (typeof content === 'string' || Buffer.isBuffer(content)) await writeFile(file, content)
    else await symlink(content.link, file)
  }
}

/** The jump with which boot sectors begin: as far as anybody who only reads can tell, BIOS boots from it. */
export async function withBootCode(disk: string): Promise<void> {
  await using file = await open(disk, 'r+')
  await file.write(Buffer.from([0xeb, 0x63, 0x90]), 0, 3, 0)
}

/** What debugfs, run on its own, says about a sample disk. */
export async function debugfs(disk: string, ...commands: string[]): Promise<string> {
  const { stdout, stderr } = await run('debugfs', ['-w', '-f', '-', `${disk}?offset=${ROOT}`], {
    input: `${commands.join('\n')}\n`,
  })
  return stdout.replace(/^debugfs: .*\n/gm, '') + stderr.replace(/^debugfs \d.*\n/gm, '')
}
