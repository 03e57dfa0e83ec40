import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { type BootedBase, bootBase } from '../fixtures/booted-base.ts'
import { command } from '../fixtures/command.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'

const folder = resolve('build/e2e/bootstrapped')
const PASSWORD = 'spät im Mai'

/** The usual shape; its installer is not asked. */
const definition = `Veewee::Definition.declare({
  :cpu_count => '2', :memory_size => '768', :disk_size => '2048', :os_type_id => 'Debian_64',
  :iso_file => 'debian-netinst.iso', :boot_wait => '10', :boot_cmd_sequence => ['<Esc>', 'install', '<Enter>'],
  :kickstart_port => '7122', :kickstart_timeout => '10000', :kickstart_file => 'preseed.cfg',
  :ssh_user => 'vagrant', :ssh_password => 'vagrant', :ssh_login_timeout => '1000',
  :sudo_cmd => "echo '%p'|sudo -S sh '%f'", :shutdown_cmd => 'shutdown -P now',
  :postinstall_files => ['base.sh', '_later.sh', 'virtualbox.sh'], :params => { :COLOUR => 'green' }
})
`
const scripts = {
  'base.sh':
    'set -e\n. ./.veewee_params\napt-get -y install hello\necho "$COLOUR, user $(id -u), $(hello)" > /etc/base-was-here\n',
  '_later.sh': 'touch /etc/later-was-here\n',
  'virtualbox.sh': 'sh VBoxLinuxAdditions.run\n',
}

/** Debian 13, so that a suite is seen which the example is not made of. */
const appliance = `name: bootstrapped
version: 1.0.0
mirror:
  deb:
    - { name: debian, uri: https://deb.debian.org/debian, suites: [trixie], packages: [hello] }
basebox:
  definition: base/
  strategy: bootstrap
  boxes: []
  bootstrap:
    suite: trixie
    locale: de_DE.UTF-8
    timezone: Europe/Berlin
    keymap: de(nodeadkeys)
    users:
      - { name: hana, groups: [adm, makers], sudo: true, password: env:PASSWORD_OF_HANA }
      - { name: kai, shell: /bin/sh, sudo: nopasswd, authorized_keys: [kai.pub] }
    kernel_arguments: [net.ifnames=0]
    swap: 64 MiB
`

if (!isInside()) {
  await rm(join(folder, 'appliance.lock.json'), { force: true })
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'appliance.yml'), appliance)
  await mkdir(join(folder, 'base'), { recursive: true })
  await writeFile(join(folder, 'base/definition.rb'), definition)
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(folder, 'base', name), text)
  await rm(join(folder, 'kai'), { force: true })
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'kai', '-f', join(folder, 'kai')])
  const built = command({ folder, env: { PASSWORD_OF_HANA: PASSWORD } })
  const { status, output } = await built('build', '--until', 'veewee-basebox')
  test('a machine is made from the mirror', () => {
    expect(status === 0 || output.slice(-4000)).toBe(true)
  })
  test('no password is told', () => {
    expect(output).not.toContain(PASSWORD)
  })
  await testsInside(import.meta.url)
} else
  describe('a machine made from the mirror, booted', () => {
    let machine: BootedBase | undefined
    const said = (command: string) => machine!.said(command)

    beforeAll(async () => {
      machine = await bootBase(folder, 'bootstrapped')
    })
    afterAll(async () => machine?.[Symbol.asyncDispose]())

    test('is the distribution that was named, and no unit of it has failed', async () => {
      expect(await said('. /etc/os-release; echo $VERSION_CODENAME')).toBe('trixie')
      expect(await said('systemctl --failed --plain --no-legend')).toBe('')
    })

    test('speaks the language of its users', async () => {
      expect(await said('. /etc/default/locale; LANG=$LANG date -d 2026-03-01 +%A,%B')).toBe('Sonntag,März')
      expect(await said('LANG=de_DE.UTF-8 ls /nowhere 2>&1')).toContain(
        'Datei oder Verzeichnis nicht gefunden',
      )
      expect(await said('ls /usr/share/locale | grep -c -v -e ^de -e locale.alias')).toBe('0')
    })

    test('has their time', async () => {
      expect(await said('date -d "2026-07-01 12:00 UTC" +%H:%M%Z')).toBe('14:00CEST')
      expect(await said('timedatectl show -p Timezone --value')).toBe('Europe/Berlin')
    })

    test('has their keyboard', async () => {
      expect(await said('dumpkeys </dev/tty1 | grep -c ssharp')).not.toBe('0')
    })

    test('lets a user become root by the password that only the environment knew', async () => {
      const sudo = (word: string) =>
        said(`su hana -s /bin/sh -c "echo '${word}' | sudo -S -p '' id -u 2>/dev/null"`)
      expect(await sudo(PASSWORD)).toBe('0')
      expect(await sudo('guessed')).toBe('')
      expect((await said('id -nG hana')).split(' ').sort()).toEqual(['adm', 'hana', 'makers'])
    })

    test('lets a user in by a key, and become root without a password', async () => {
      expect(await said('cat /home/kai/.ssh/authorized_keys')).toMatch(/^ssh-ed25519 \S+ kai$/)
      expect(await said('stat -c %U:%a /home/kai/.ssh /home/kai/.ssh/authorized_keys')).toBe(
        'kai:700\nkai:600',
      )
      expect(await said('su kai -c "sudo -n id -u; echo $0"')).toMatch(/^0\n/)
      expect(await said('passwd -S kai; passwd -S root')).toMatch(/^kai L .*\nroot L /)
    })

    test('was started with the arguments of the kernel', async () => {
      expect(await said('cat /proc/cmdline')).toContain(' net.ifnames=0')
      expect(await said('ls /sys/class/net')).toContain('eth0')
    })

    test('made its swap file itself', async () => {
      expect(await said('swapon --noheadings --show=NAME,SIZE --bytes')).toMatch(/^\/swapfile +67104768$/)
      expect(await said('stat -c %a:%s /swapfile')).toBe(`600:${64 * 2 ** 20}`)
    })

    test('ran the scripts of its definition as its user, with packages from the mirror', async () => {
      expect(await said('cat /etc/base-was-here')).toBe('green, user 0, Hallo, Welt!')
      expect(await said('test -e /etc/later-was-here || echo absent')).toBe('absent')
      expect(await said('id -un vagrant; lsblk -bno SIZE /dev/vda | head -n 1')).toBe(`vagrant\n${2 ** 31}`)
    })

    test('keeps nothing of the mirror, nor the build’s key', async () => {
      const left =
        'ls -d /etc/apt/apt.conf.d/*appliance* /var/tmp/appliance /home/vagrant/.*mirror* 2>/dev/null'
      expect(await said(left)).toBe('')
      expect(await said('ls /home/vagrant/.ssh 2>/dev/null')).toBe('')
    })

    test('would take the space of a larger disk', async () => {
      expect(await said('systemctl is-enabled systemd-repart.service; ls /usr/bin/systemd-repart')).toMatch(
        /static\n\/usr/,
      )
    })
  })
