import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { ApplianceError } from '../errors/error.ts'
import { textOf } from '../files/text.ts'
import type { Accel } from './hypervisor.ts'

/** How a machine's processor is run: by the real one (`kvm`), or translated (`tcg`, ten times slower or more). */
export interface Acceleration {
  accel: 'kvm' | 'tcg'
  /** One line for the log. */
  reason: string
}

/** What this computer says about hardware virtualization. */
export interface VirtualizationFacts {
  /** `vmx` (Intel) or `svm` (AMD) among the processor's flags. */
  flag: 'vmx' | 'svm' | undefined
  /** The error code of opening /dev/kvm for reading and writing; undefined when it opens. */
  kvmError: string | undefined
}

/**
 * `auto` takes KVM only when the processor has the flag *and* /dev/kvm opens: on computers without nested
 * virtualization the device may exist, open and answer, and still no ordinary kernel boots on it (DESIGN §6).
 */
export function accelerationFor(wanted: Accel, { flag, kvmError }: VirtualizationFacts): Acceleration {
  const lack = !flag
    ? 'the processor shows neither vmx nor svm'
    : kvmError === 'ENOENT'
      ? '/dev/kvm does not exist'
      : kvmError
        ? `/dev/kvm does not open (${kvmError})`
        : undefined
  if (wanted === 'tcg') return { accel: 'tcg', reason: 'accel: tcg, because it was asked for' }
  if (!lack)
    return { accel: 'kvm', reason: `accel: kvm, because the processor has ${flag} and /dev/kvm opens` }
  if (wanted === 'auto') return { accel: 'tcg', reason: `accel: tcg (slow), because ${lack}` }
  throw new ApplianceError('missing-tool', `accel: kvm is not possible here: ${lack}`, {
    hint: remedy(flag, kvmError),
  })
}

function remedy(flag: string | undefined, kvmError: string | undefined): string {
  if (!flag)
    return 'Switch virtualization on in the firmware (nested virtualization, on a virtual machine), or use accel: auto.'
  if (kvmError === 'ENOENT') return `Load the module: sudo modprobe kvm_${flag === 'vmx' ? 'intel' : 'amd'}`
  return `Permit it: echo 'KERNEL=="kvm", GROUP="kvm", MODE="0666", OPTIONS+="static_node=kvm"' | sudo tee /etc/udev/rules.d/99-kvm.rules && sudo udevadm control --reload-rules && sudo udevadm trigger --name-match=kvm`
}

/** What a machine that wants `wanted` gets on this computer; throws `missing-tool` when it wants KVM in vain. */
export async function chooseAccel(wanted: Accel): Promise<Acceleration> {
  return accelerationFor(wanted, await virtualizationFacts())
}

async function virtualizationFacts(): Promise<VirtualizationFacts> {
  return {
    flag: cpuFlag(await textOf('/proc/cpuinfo')),
    kvmError: await kvmError(),
  }
}

/** `vmx` or `svm` from the text of /proc/cpuinfo. */
export function cpuFlag(cpuinfo: string): 'vmx' | 'svm' | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? []
  return flags.includes('vmx') ? 'vmx' : flags.includes('svm') ? 'svm' : undefined
}

async function kvmError(): Promise<string | undefined> {
  try {
    const file = await open('/dev/kvm', constants.O_RDWR)
    await file.close()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error'
  }
}
