/** Names of files that are never web pages. */
const archive =
  /\.(tar|t?gz|tgz|tbz2?|bz2|txz|xz|zst|lz4|7z|zip|jar|war|iso|img|qcow2|vmdk|vdi|ova|box|rpm|deb|gem|whl|bin|run|exe|msi|dmg|bundle|pack|asc|sig|sign|gpg)$/i

/** Whether an address names something that is no web page: a tarball, an image, a package. */
export function saysArchive(url: string): boolean {
  return archive.test(new URL(url).pathname)
}

/**
 * Whether an answer is a web page. Servers that know no type for a file call it text/html, too, so the type counts
 * only where the bytes are text.
 *
 * @param type of the answer, without parameters
 * @param beginning of the body; undefined: it is empty
 */
export function isPage(type: string, beginning: Uint8Array | undefined): boolean {
  const head = Buffer.from(beginning?.subarray(0, 1024) ?? []).toString('latin1')
  if (/^(\u00ef\u00bb\u00bf)?\s*(<!--[\s\S]*?-->\s*)*<(!doctype\s+html|html\b)/i.test(head)) return true
  return type === 'text/html' && head !== '' && !/[^\t\n\f\r\u0020-\u007e\u0080-\u00ff]/.test(head)
}
