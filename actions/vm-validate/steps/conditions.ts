import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { DiskChange, MemoryChange, TimeJump } from '../../lib/spec/scenario.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import { formatSize } from '../../lib/units/size.ts'
import type { Outcome, Surroundings } from './outcome.ts'

/** Sets the guest's clock; its hardware's, too, so that it is not forgotten at the next restart. */
export async function setClock({ jump, set }: TimeJump, { guest, signal }: Surroundings): Promise<Outcome> {
  const now = async () => Number((await guest.run('date +%s.%N', { signal })).stdout)
  const to =
    set !== undefined
      ? Date.parse(set) / 1000
      : jump !== undefined
        ? (await now()) + jump / 1000
        : Date.now() / 1000
  if (Number.isNaN(to)) throw new ApplianceError('input', `${set} is no time such as 2031-01-01T02:59:50Z`)
  // Whoever sets clocks by the network would set it back.
  const hold = 'systemctl stop systemd-timesyncd chronyd ntpd 2>/dev/null; '
  const said = await guest.run(
    `${hold}date -u -s @${to.toFixed(2)} >/dev/null && { hwclock --systohc --utc 2>/dev/null || true; } && date -u +%Y-%m-%dT%H:%M:%SZ`,
    { as: 'root', signal },
  )
  const is = said.stdout.trim()
  const by = jump === undefined ? '' : `, ${formatDuration(Math.abs(jump))} ${jump < 0 ? 'earlier' : 'later'}`
  return { met: true, finding: `the guest’s clock says ${is}${by}`, value: is }
}

const FILLER = '.appliance-filler'

/** Fills the file system that a folder is on, or frees it again. */
export async function changeDisk(
  { fill, leave = 0, free }: DiskChange,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const folder = quote(fill ?? free!)
  if (free !== undefined) {
    await guest.run(`rm -f ${folder}/${FILLER}`, { signal })
    return { met: true, finding: `freed what ${free} is on` }
  }
  // What only root may use counts as well: a full disk is full.
  const script = `set -e
mkdir -p ${folder}
file=${folder}/${FILLER}
available() { df -B1 --output=avail ${folder} | tail -n 1 | tr -d ' '; }
size=$(( $(available) - ${leave} ))
[ "$size" -le 0 ] || fallocate -l "$size" "$file" 2>/dev/null || head -c "$size" /dev/zero >"$file" 2>/dev/null || true
${leave > 0 ? '' : 'cat /dev/zero >>"$file" 2>/dev/null || true'}
available`
  const { stdout } = await guest.run(script, { signal, timeout: limit })
  return { met: true, finding: `${formatSize(Number(stdout.trim()))} are free where ${fill} is` }
}

/** Takes memory away, gives it back, or looks how much is available. */
export async function changeMemory(
  { take, available }: MemoryChange,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const place = '/run/appliance-memory'
  if (available !== undefined) {
    const has = await availableMemory(guest, signal)
    const what = `${formatSize(has)} of memory are available`
    return {
      met: has >= available,
      finding: has >= available ? what : `${what}, expected ${formatSize(available)}`,
    }
  }
  if (take === undefined) {
    await guest.run(`umount -l ${place} 2>/dev/null; true`, { signal })
    return { met: true, finding: 'gave back what was taken' }
  }
  await guest.run(
    `mkdir -p ${place} && mount -t tmpfs -o size=${take} tmpfs ${place} && head -c ${take} /dev/zero >${place}/taken`,
    { signal, timeout: limit, title: 'taking memory' },
  )
  return {
    met: true,
    finding: `took ${formatSize(take)}; ${formatSize(await availableMemory(guest, signal))} are available`,
  }
}

async function availableMemory(guest: Guest, signal: AbortSignal): Promise<number> {
  const { stdout } = await guest.run("awk '/^MemAvailable/ { print $2 }' /proc/meminfo", { signal })
  return Number(stdout) * 1024
}
