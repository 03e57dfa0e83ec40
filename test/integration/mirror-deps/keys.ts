import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'

/** A person with an OpenPGP key, in a folder of their own. */
export class Signer {
  private readonly home: string
  /** GnuPG's idea of today, `20200101T000000`; undefined: today. */
  private readonly today: string | undefined

  private constructor(home: string, today: string | undefined) {
    this.home = home
    this.today = today
  }

  /** @param expires GnuPG's words: `never`, `1y` */
  static async make(
    home: string,
    name: string,
    { today, expires = 'never' }: { today?: string; expires?: string } = {},
  ) {
    await mkdir(home, { recursive: true, mode: 0o700 })
    const signer = new Signer(home, today)
    await signer.gpg(['--quick-generate-key', `${name} <${name}@example.test>`, 'ed25519', 'sign', expires])
    return signer
  }

  /** The public key, in a file. */
  async key(form: 'binary' | 'armoured'): Promise<string> {
    const path = join(this.home, `key.${form === 'binary' ? 'gpg' : 'asc'}`)
    await this.gpg([...(form === 'binary' ? [] : ['--armor']), '--yes', '--output', path, '--export'])
    return path
  }

  /** Of 16 hex digits. */
  async id(): Promise<string> {
    const listed = await this.gpg(['--with-colons', '--list-keys'])
    return /^pub:(?:[^:]*:){3}([0-9A-F]{16}):/m.exec(listed)![1]!
  }

  async sign(content: string | Buffer, how: 'binary' | 'armoured' | 'clear'): Promise<Buffer> {
    const file = join(this.home, 'content')
    await writeFile(file, content)
    const mode = {
      binary: ['--detach-sign'],
      armoured: ['--armor', '--detach-sign'],
      clear: ['--clear-sign'],
    }
    await this.gpg([...mode[how], '--yes', '--output', `${file}.sig`, file])
    return await readFile(`${file}.sig`)
  }

  private async gpg(args: string[]): Promise<string> {
    const time = this.today ? ['--faked-system-time', this.today] : []
    const always = ['--homedir', this.home, '--batch', '--passphrase', '', '--pinentry-mode', 'loopback']
    return (await run('gpg', [...always, ...time, ...args])).stdout
  }
}
