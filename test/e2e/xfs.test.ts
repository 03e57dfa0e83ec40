import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { command } from '../fixtures/command.ts'

// Some ten minutes of emulated machines.
const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip

const spec = `name: xfs-server
version: 1.0.0
mirror:
  deb:
    - { name: debian, uri: https://deb.debian.org/debian, suites: [bookworm] }
basebox:
  bootstrap: { suite: bookworm, filesystem: xfs, swap: 64 MiB }
  disk: 2 GiB
  boxes: [libvirt]
provision:
  - shell: provision.sh
validate:
  scenarios: scenarios/
  listens: [22/tcp]
pack:
  hardware: { disk: 3 GiB }
`
const provision = `set -e
mkdir -p /srv/app /var/log/app
echo what-a-log-says >/var/log/app/app.log
for i in $(seq 1 300); do echo "$i" >/srv/app/file-$i; done
`
/** Run on the provisioned disk, and on the OVA, whose disk is larger. */
const scenario = `name: Its root is XFS and whole, and fills the disk
tags: [smoke]
steps:
  - boot
  - run: { command: findmnt -no FSTYPE /, stdout: "^xfs$" }
  - run: test "$(systemctl is-system-running --wait)" = running
  - run: swapon --show --noheadings | grep swapfile
  - run: getcap /usr/bin/* | cat; find /srv/app -name 'file-*' | wc -l | grep -x 300
  - run: test $(($(lsblk -bdno SIZE /dev/vda /dev/sda 2>/dev/null | sort -n | tail -n 1) - $(df -B1 --output=size / | tail -n 1))) -lt 300000000
    eventually: 60 s
`

full('a base machine with an XFS root goes through all stages, and fills a larger disk', async () => {
  const folder = await mkdtemp('/var/tmp/appliance-xfs-')
  const appliance = command({})
  const well = (output = /./) => ({ status: 0, output: expect.stringMatching(output) })
  try {
    await mkdir(join(folder, 'scenarios'))
    await writeFile(join(folder, 'appliance.yml'), spec)
    await writeFile(join(folder, 'provision.sh'), provision)
    await writeFile(join(folder, 'scenarios/xfs.yml'), scenario)
    expect(await appliance('build', '--working-directory', folder)).toEqual(well())
    const ova = join(folder, 'build/ova-pack/xfs-server-1.0.0.ova')
    expect(await appliance('verify', ova)).toEqual(well(/packages on the disk/))
    expect(await appliance('lint', ova)).toEqual({
      status: 0,
      output: expect.not.stringMatching(/disk-unread/),
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
