import { nearest } from '../errors/nearest.ts'
import { Asked } from './asked.ts'
import { readBoot } from './boot.ts'
import type { Declared } from './declared.ts'
import { readHypervisors } from './hypervisors.ts'
import { readIso } from './iso.ts'
import { KEYS, keyNamed, MISSPELT } from './keys.ts'
import { readLogin } from './login.ts'
import { readFloppy, readKickstart, readPostinstall } from './recipe-files.ts'
import type { Recipe } from './recipe-types.ts'
import { RubyHash, toText, type Unknown } from './value.ts'
import type { World } from './world.ts'

const MIB = 2 ** 20

/**
 * What the declared keys mean. Everything wrong is reported to the world, all of it at once; the recipe counts only
 * when nothing was.
 */
export function readRecipe(reading: {
  declared: ReadonlyMap<string, Declared>
  unknown: ReadonlyMap<string, Unknown>
  world: World
  strategy: 'install' | 'bootstrap'
}): Recipe {
  const asked = new Asked(reading.world, reading.declared, reading.unknown)
  judgeKeys(asked)
  refuseWindows(asked)
  refuseHooks(asked)
  const osType = asked.text('os_type_id')
  const ssh = readLogin(asked)
  return {
    cpus: asked.number('cpu_count', 1, 1, 256, ''),
    // VeeWee's MB are those of VBoxManage and of libvirt: 2^20 bytes.
    memory: asked.number('memory_size', 256, 16, 4 * 1024 * 1024, 'MB') * MIB,
    videoMemory: asked.number('video_memory_size', 10, 1, 256, 'MB') * MIB,
    disks: {
      count: asked.number('disk_count', 1, 1, 16, ''),
      size: asked.number('disk_size', 10_240, 64, 64 * 1024 * 1024, 'MB') * MIB,
    },
    osType,
    bits: osType === undefined || osType.endsWith('_64') ? 64 : 32,
    iso: readIso(asked, reading.strategy),
    boot: readBoot(asked, reading.strategy),
    kickstart: reading.strategy === 'install' ? readKickstart(asked) : undefined,
    ssh,
    sudoCommand: asked.text('sudo_cmd') ?? "echo '%p'|sudo -S sh '%f'",
    shutdownCommand: asked.text('shutdown_cmd') ?? '',
    postinstall: readPostinstall(asked),
    floppy: readFloppy(asked),
    hypervisors: readHypervisors(asked),
  }
}

/** VeeWee took any key and looked at those it knew. */
function judgeKeys(asked: Asked): void {
  for (const name of asked.declared.keys()) {
    if (keyNamed(name)) continue
    const meant = Object.hasOwn(MISSPELT, name) ? MISSPELT[name] : nearest(name, Object.keys(KEYS))
    asked.warnKey(name, `${name} is no key of definitions and is ignored${meant ? `; ${meant}?` : ''}`)
  }
  if (asked.value('add_shares') !== undefined && asked.texts('add_shares')?.length)
    asked.warnKey('add_shares', 'add_shares is ignored: the machine gets no shared folders')
  if (asked.text('vmdk_file') !== undefined)
    asked.faultKey(
      'vmdk_file',
      'vmdk_file (a disk that is there already) is not built from; install from an ISO',
    )
}

function refuseWindows(asked: Asked): void {
  const osType = asked.text('os_type_id')
  if (osType && /^windows/i.test(osType))
    asked.fault('os_type_id', `os_type_id is ${osType}: Windows machines are not built, only Linux ones`)
  for (const name of asked.declared.keys())
    if (keyNamed(name)?.windows)
      asked.faultKey(name, `${name} is for Windows machines, which are not built; leave it out`)
}

/** Code that VeeWee would have run on the host between its steps. */
function refuseHooks(asked: Asked): void {
  const hooks = asked.value('hooks')
  if (hooks === undefined) return
  if (!(hooks instanceof RubyHash)) {
    asked.fault('hooks', refusedHook('hooks'))
    return
  }
  for (const { key, value, keyPlace } of hooks.entries()) {
    const name = `hook ${toText(key) ?? '?'}`
    if (value === null) continue
    const message = refusedHook(name)
    if (keyPlace) asked.world.report(keyPlace.source.fault(keyPlace.span, message))
    else asked.fault('hooks', message)
  }
}

function refusedHook(name: string): string {
  return `${name} is code (a Proc), and definitions are read, never run: put its commands into a postinstall file, or into provision in the spec`
}
