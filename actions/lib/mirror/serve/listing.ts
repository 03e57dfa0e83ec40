import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '../../units/size.ts'

/** A folder of the tree for people who look around: HTML, folders first. */
export async function listing(folder: string, names: readonly string[]): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const rows = [
    ...(names.length > 0 ? ['<li><a href="../">../</a>'] : []),
    ...folders.sort().map((name) => `<li>${link(name, '/')}`),
  ]
  for (const name of files.sort())
    rows.push(`<li>${link(name, '')} ${formatSize(await sizeOf(folder, name))}`)
  const title = escapeHtml(`/${names.map((name) => `${name}/`).join('')}`)
  return `<!doctype html>
<meta charset="utf-8"><title>${title}</title>
<h1>${title}</h1>
<ul>
${rows.join('\n')}
</ul>
`
}

function link(name: string, end: string): string {
  return `<a href="./${encodeURIComponent(name)}${end}">${escapeHtml(name)}${end}</a>`
}

async function sizeOf(folder: string, name: string): Promise<number> {
  return (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)
}
