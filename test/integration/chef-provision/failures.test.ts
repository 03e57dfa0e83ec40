import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { ApplianceError } from '../../../actions/lib/errors/error.ts'
import type { ProvisionStep } from '../../../actions/lib/spec/spec.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { smallCourse } from '../../fixtures/provision-course.ts'
import { cannotMakeSmallDisk, smallDisk } from '../../fixtures/small-disk.ts'

jest.setTimeout(600_000)
const why = await cannotMakeSmallDisk()
if (why) test.skip(`failures: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else failures()

/** Steps that fail in a real machine; each begins with it as it booted. */
function failures(): void {
  let project: string
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'failures-'))
  })
  afterAll(() => rm(project, { recursive: true }))

  /** What a step fails with. */
  async function failureOf(...steps: ProvisionStep[]): Promise<ApplianceError> {
    return await smallCourse(project, steps, async () => {}).then(
      () => {
        throw new Error('it did not fail')
      },
      (error) => error,
    )
  }
  const fill = 'dd if=/dev/zero of=/full bs=1M 2>/dev/null'
  const full = /The guest's disk is full: \/ has \d+ MiB and nothing left/
  const hungry = 'head -c 2G /dev/zero | tail >/dev/null'
  const shell = (inline: string, more: Partial<ProvisionStep> = {}) =>
    ({ kind: 'shell', inline, name: 'the step', ...more }) as ProvisionStep

  test('one that takes too long says what it last said', async () => {
    expect(await failureOf(shell('echo working on it; sleep 600', { timeout: 4000 }))).toMatchObject({
      code: 'timeout',
      message: 'the step took longer than 4.0 s; it last said: working on it',
      hint: expect.stringMatching(/^Give it longer by timeout:/),
    })
  })

  test('one whose connection was cut, while the guest goes on', async () => {
    expect(await failureOf(shell('echo about to; pkill -KILL sshd; sleep 600'))).toMatchObject({
      code: 'no-answer',
      message: expect.stringMatching(
        /^the guest stopped answering during the step; it last said: about to\. It answers again, \d.* after it was started$/,
      ),
      hint: expect.stringMatching(/the step `reboot`.*systemd-run/),
      evidence: [expect.stringMatching(/provision-serial\.log$/)],
    })
  })

  test('one that turned the machine off, which is known at once', async () => {
    expect(await failureOf(shell('echo about to; sync; poweroff -f'))).toMatchObject({
      code: 'no-answer',
      message: expect.stringMatching(/^the guest stopped answering during the step; .*\. It powered off$/),
    })
  })

  test('a disk that is full, whether the step says so or not', async () => {
    expect(await failureOf(shell(`${fill} || exit 3`))).toMatchObject({
      message: expect.stringMatching(new RegExp(`^the step failed \\(3\\)\\. ${full.source}$`)),
      hint: 'Give the machine a larger one by basebox.disk in the spec.',
    })
  })

  test('memory that ran out, by the kernel’s log', async () => {
    expect(await failureOf(shell(hungry))).toMatchObject({
      message: expect.stringMatching(
        /^the step failed \(137\).*\. The guest ran out of memory: its kernel killed tail, which had [2-5]\d\d MiB$/,
      ),
      hint: expect.stringMatching(/basebox\.memory/),
    })
  })

  test('a package that the mirror lacks', async () => {
    expect(await failureOf(shell('apt-get install -q -y nosuch'))).toMatchObject({
      message: expect.stringMatching(/^the step failed \(100\); .*E: Unable to locate package nosuch$/),
      hint: 'The mirror does not have nosuch: write a source for it under mirror.deb in appliance.yml.',
    })
  })

  if (process.env.APPLIANCE_TESTS === 'full') slow()
  else
    test.skip('what takes longer: skipped, because a silent guest is waited for: script/test full', () => {})

  /** What only time tells, and what the unit tests have in short. */
  function slow(): void {
    test('an upload to a disk that is full', async () => {
      const upload: ProvisionStep = { kind: 'upload', from: '/etc', to: '/opt/etc', name: 'an upload' }
      expect(await failureOf(shell(`${fill} || true`), upload)).toMatchObject({
        message: expect.stringMatching(new RegExp(`No space left on device\\. ${full.source}$`)),
      })
    })

    test('a file system in memory that is full', async () => {
      const mount = 'mount -t tmpfs -o size=4m none /mnt; dd if=/dev/zero of=/mnt/full bs=64k 2>/dev/null'
      expect(await failureOf(shell(mount))).toMatchObject({
        message:
          'the step failed (1). What the guest keeps in memory is full: /mnt has 4 MiB and nothing left',
      })
    })

    test('memory that ran out before the step', async () => {
      const survived = shell(`${hungry} || true; sleep 3`, { name: 'hungry' })
      expect(await failureOf(survived, shell('echo quite another thing; exit 4'))).toMatchObject({
        message: 'the step failed (4); it last said: quite another thing',
      })
    })

    test('an SSH server that does not come back', async () => {
      const stop = 'echo about to; (systemctl stop ssh; pkill -KILL sshd) & sleep 600'
      expect(await failureOf(shell(stop))).toMatchObject({
        code: 'no-answer',
        message: expect.stringMatching(/; it last said: about to\. It has not answered since: .*refused$/),
      })
    })

    test('a cable that is cut', async () => {
      const cut = 'echo about to; ip link set $(ls /sys/class/net | grep -v lo) down; sleep 600'
      expect(await failureOf(shell(cut))).toMatchObject({
        code: 'no-answer',
        message: expect.stringMatching(/; it last said: about to\. It has not answered since: /),
      })
    })

    test('a kernel that panicked', async () => {
      expect(
        await failureOf(shell('echo about to; sync; sleep 1; echo c > /proc/sysrq-trigger')),
      ).toMatchObject({
        code: 'no-answer',
        message: expect.stringMatching(/\. Its kernel panicked: sysrq triggered crash$/),
      })
    })

    test('one that restarted the machine itself', async () => {
      expect(await failureOf(shell('sync; reboot -f'))).toMatchObject({
        message: expect.stringMatching(/\. It answers again, \d.* after it was started$/),
        hint: expect.stringMatching(/the step `reboot`/),
      })
    })
  }
}
