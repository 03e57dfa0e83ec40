import { X509Certificate } from 'node:crypto'
import { digestLine, manifestOf, tar } from '../specimen.ts'
import { byTar, good, signed, vmdk, withManifest, type Zoo } from './keeper.ts'

/** Another subject, the issuer as it was. */
function renamed(text: string): string {
  const begin = text.indexOf('-----')
  const der = Buffer.from(new X509Certificate(text.slice(begin)).raw)
  der.write('Exomple Ltd', der.lastIndexOf('Example Ltd'))
  return text.slice(0, begin) + new X509Certificate(der).toString()
}

export const archives: Zoo = {
  // Archives
  'an error page saved as an OVA': [
    'archive-damaged',
    () => Buffer.from('<html>404 Not Found</html>'.repeat(50)),
  ],
  'a download that broke off': ['archive-cut-short', () => tar(good).subarray(0, -5000)],
  'a download that lacks its last kilobyte': ['archive-end', () => tar(good).subarray(0, -1024)],
  'a download that lacks its last block': ['archive-end', () => tar(good).subarray(0, -512)],
  'two OVAs in one file': ['archive-after-end', () => Buffer.concat([tar(good), tar(good)])],
  'an archive by bsdtar with PAX headers (VirtualBox: VERR_TAR_UNSUPPORTED_PAX_TYPE)': [
    'archive-pax',
    () => byTar('--format=pax'),
  ],
  'an archive of the seventh edition': ['archive-format', () => byTar('--format=v7')],
  'the disk first (coreos-assembler#1141: Did not find an .ovf file at the beginning)': [
    'archive-first',
    () => tar([good[2]!, good[0]!, good[1]!]),
  ],
  'only a disk': ['archive-no-descriptor', () => tar([good[2]!])],
  'a folder zipped up as it was': [
    'archive-name',
    () => tar(good.map((part) => ({ ...part, name: `good/${part.name}` }))),
  ],
  'tar of the current folder, ./good.ovf': [
    'archive-name',
    () => tar(good.map((part) => ({ ...part, name: `./${part.name}` }))),
  ],
  'a link to the disk instead of the disk': [
    'archive-kind',
    () => tar([good[0]!, good[1]!, { ...good[2]!, content: Buffer.alloc(0), type: '2' }]),
  ],
  'the descriptor twice': ['archive-duplicate', () => tar([good[0]!, good[0]!, good[1]!, good[2]!])],
  "the builder's log in the archive": [
    'archive-stray',
    () => tar([...good, { name: 'build.log', content: Buffer.from('x') }]),
  ],
  'a bit flipped in padding': [
    'archive-padding',
    () => {
      const ova = tar(good)
      ova[512 + good[0]!.content.length] = 4
      return ova
    },
  ],
  'a bit flipped in a header': [
    'archive-damaged',
    () => {
      const ova = tar(good)
      ova[3]! ^= 1
      return ova
    },
  ],
  'a name of more than 100 bytes': [
    'archive-long-name',
    () =>
      tar([{ name: '././@LongLink', content: Buffer.from(`${'x'.repeat(120)}.ovf\0`), type: 'L' }, ...good]),
  ],
  // Manifests
  'no manifest': ['manifest-missing', () => tar([good[0]!, good[2]!])],
  'the manifest after the disk (ovftool: No supported manifest entry found)': [
    'manifest-position',
    () => tar([good[0]!, good[2]!, good[1]!]),
  ],
  'SHA256 (x) = (home-assistant/operating-system#826)': [
    'manifest-blank',
    () => withManifest((text) => text.replaceAll(/SHA256\((.*)\)= /g, 'SHA256 ($1) = ')),
  ],
  'SHA2-256(x)= of OpenSSL 3 (home-assistant/operating-system#3654)': [
    'manifest-syntax',
    () => withManifest((text) => text.replaceAll('SHA256', 'SHA2-256')),
  ],
  'lines of sha256sum': [
    'manifest-syntax',
    () => withManifest((text) => text.replaceAll(/SHA256\((.*)\)= (.*)/g, '$2  $1')),
  ],
  'an empty manifest': ['manifest-empty', () => withManifest(() => '')],
  'the manifest made before the descriptor was edited': [
    'digest-mismatch',
    () => {
      const other = tar(good)
      return Buffer.from(other.toString('latin1').replace('Be nice.', 'Be good.'), 'latin1')
    },
  ],
  'the disk renamed after the manifest was made': [
    'manifest-stranger',
    () => withManifest((text) => text.replace('good-disk1', 'old-disk1')),
  ],
  'a manifest of the descriptor alone': [
    'manifest-incomplete',
    () => withManifest((text) => text.split('\n').slice(0, 1).join('\n').concat('\n')),
  ],
  'a manifest that lists itself': [
    'manifest-itself',
    () => withManifest((text) => `${text}SHA256(good.mf)= ${'0'.repeat(64)}\n`),
  ],
  'a manifest of SHA-512 (virt-v2v: unverified)': [
    'manifest-sha512',
    () =>
      withManifest(
        () =>
          digestLine('good.ovf', good[0]!.content, 'sha512') + digestLine('good-disk1.vmdk', vmdk, 'sha512'),
      ),
  ],
  'a manifest of SHA-1': [
    'manifest-sha1',
    () =>
      withManifest(
        () => digestLine('good.ovf', good[0]!.content, 'sha1') + digestLine('good-disk1.vmdk', vmdk, 'sha1'),
      ),
  ],
  'a manifest of another name': [
    'manifest-name',
    () => tar([good[0]!, { ...good[1]!, name: 'other.mf' }, good[2]!]),
  ],
  'a manifest of Windows line ends and a file twice': [
    'manifest-twice',
    () => withManifest((text) => (text + text).replaceAll('\n', '\r\n')),
  ],
  // Signatures
  'an OVA whose manifest was replaced after signing': [
    'certificate-signature',
    async () => {
      const [o, , c, d] = await signed()
      return tar([o!, manifestOf([d!, o!]), c!, d!])
    },
  ],
  'a certificate of last year': ['certificate-expired', async () => tar(await signed()), 4e9],
  'a certificate in which somebody changed the name': [
    'certificate-damaged',
    async () => tar(await signed(renamed)),
  ],
  'a certificate with a letter of its signature in the other case': [
    'certificate-odd',
    async () =>
      tar(await signed((text) => text.replace(/(?<== [0-9]*)[a-f]/, (letter) => letter.toUpperCase()))),
  ],
  'a certificate without its signature': [
    'certificate-form',
    async () => tar(await signed((text) => text.slice(text.indexOf('-----')))),
  ],
}
