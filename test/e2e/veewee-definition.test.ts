import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { rootPartition } from '../../actions/lib/disk/root-partition.ts'
import { CommandFailed } from '../../actions/lib/errors/error.ts'
import { run } from '../../actions/lib/process/command.ts'
import { command } from '../fixtures/command.ts'
import { installer } from '../fixtures/installer/make.ts'

const folder = resolve('build/e2e/veewee')
const stage = join(folder, 'build/veewee-basebox')

const appliance = command({ folder })

if (process.getuid?.() !== 0) test.skip('skipped, because making the installer needs root', () => {})
else
  describe('a VeeWee definition of the usual shape', () => {
    let said: string
    let raw: string

    beforeAll(async () => {
      const { iso } = await installer()
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      await cp(resolve('test/fixtures/veewee'), folder, { recursive: true })
      const spec = join(folder, 'appliance.yml')
      const text = await readFile(spec, 'utf8')
      await writeFile(spec, text.replaceAll('INSTALLER', join(iso, '..')))
      const built = await appliance('build', '--until', 'veewee-basebox')
      said = built.output
      expect(`${said}\n${built.status}`).toMatch(/\n0$/)
      raw = join(folder, 'disk.raw')
      await run('qemu-img', ['convert', '-O', 'raw', join(stage, 'basebox.qcow2'), raw])
    })

    /** What debugfs says of the installed disk. */
    const inside = async (command: string) => {
      const { start } = await rootPartition(raw)
      const { stdout } = await run('debugfs', ['-R', command, `${raw}?offset=${start}`])
      return stdout
    }

    test('is typed at its prompt, fetches its answers, and lets us in', () => {
      expect(said).toContain('waiting for "boot:" on the screen')
      expect(said).toMatch(/answers: 10\.77\.0\.\d+ fetched \/ks\.cfg, \d+ bytes/)
      expect(said).toContain('waiting for vagrant to be let in by SSH')
    })

    test('its boot line arrived as it was written', async () => {
      const film = await readFile(join(stage, 'evidence/film/film.md'), 'utf8')
      expect(film).toMatch(/boot: install ks=http:\/\/10\.77\.0\.1:\d+\/ks\.cfg name=base quiet/)
      const pictures = (await readdir(join(stage, 'evidence/film'))).filter((name) => name.endsWith('.png'))
      expect(pictures.length).toBeGreaterThan(5)
      const first = await readFile(join(stage, 'evidence/film', pictures[0]!))
      expect(first.subarray(1, 4).toString()).toBe('PNG')
    })

    test('its scripts ran in order as root, with its parameters, through a restart', async () => {
      expect(await inside('cat /etc/base-was-here')).toBe('green, user 0, ./base.sh\n')
      expect(await inside('cat /etc/last-was-here')).toBe('restarted in between\n')
      expect(said).toContain('postinstall reboot.sh: the connection is gone; logging in again')
    })

    test('its scripts that begin with _, and those for guest additions, did not', async () => {
      expect(said).toContain('postinstall _later.sh: skipped, because its name begins with _')
      expect(said).toContain(
        'postinstall virtualbox.sh: skipped, because it is for VirtualBox’s guest additions',
      )
      expect(await inside('stat /etc/later-was-here')).toBe('')
    })

    test('its disk is whole, and its user’s password is in no log', async () => {
      const { start } = await rootPartition(raw)
      await expect(run('e2fsck', ['-fn', `${raw}?offset=${start}`])).resolves.toMatchObject({ status: 0 })
      expect(await inside('cat /etc/hostname')).toBe('veewee\n')
      expect(said).not.toContain("'vagrant'|sudo")
    })

    test('it is looked at, and becomes boxes', async () => {
      expect(await readFile(join(stage, 'report.md'), 'utf8')).toMatch(/linux-image-6\.\d\S+-amd64/)
      expect((await readdir(join(stage, 'boxes'))).sort()).toEqual(
        expect.arrayContaining(['veewee-base.json']),
      )
      for (const provider of ['libvirt', 'virtualbox'])
        expect(await boxMembers(provider)).toContain('metadata.json')
    })

    test('nothing is done again where nothing has changed', async () => {
      const { status, output } = await appliance('veewee-basebox')
      expect(status).toBe(0)
      expect(output).toContain('veewee-basebox: up to date')
    })

    test('another digest than the definition declares is an error before anything boots', async () => {
      const file = join(folder, 'base/definition.rb')
      const text = await readFile(file, 'utf8')
      await writeFile(file, text.replace(':iso_src => "",', `:iso_md5 => "${'0'.repeat(32)}",`))
      const { status, output } = await appliance('veewee-basebox')
      expect(status).toBe(1)
      expect(output).toMatch(
        /installer\.iso: the definition declares iso_md5 0{32}, and the mirror's image has/,
      )
      expect(output).not.toContain('accel:')
    })

    async function boxMembers(provider: string): Promise<string> {
      const boxes = (await readdir(join(stage, 'boxes'))).filter((name) => name.includes(provider))
      if (boxes.length !== 1) throw new CommandFailed('ls', boxes, 1, `one ${provider} box`)
      return (await run('tar', ['-tf', join(stage, 'boxes', boxes[0]!)])).stdout
    }
  })
