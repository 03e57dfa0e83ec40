import { RubyHash, RubySymbol, type RubyValue } from './value.ts'

/** What is to be known of a key before its value is looked at. */
export interface KnownKey {
  /** VeeWee's value for a definition that does not say. */
  initial?: RubyValue
  /** `number` keys may be strings, and usually are. */
  number?: true
  /** Deprecated: VeeWee took it for an option of VirtualBox. */
  switch?: true
  /** Only for Windows, which is not built. */
  windows?: true
}

const options = (): RubyHash => {
  const hash = new RubyHash()
  hash.set({ key: new RubySymbol('vm_options'), value: new RubyHash() })
  return hash
}

const number = (initial?: RubyValue): KnownKey =>
  initial === undefined ? { number: true } : { number: true, initial }
const vboxSwitch: KnownKey = { switch: true }
const windows: KnownKey = { windows: true }

/** DESIGN §7, and what VeeWee's own class had (attributes and initial values of Veewee::Definition). */
export const KEYS: Readonly<Record<string, KnownKey>> = {
  cpu_count: number('1'),
  memory_size: number('256'),
  video_memory_size: number('10'),
  disk_size: number('10240'),
  disk_format: { initial: 'VDI' },
  disk_variant: { initial: 'Standard' },
  disk_count: number(1),
  use_sata: { initial: true },
  controller_kind: {},
  nonrotational: {},
  hostiocache: {},
  os_type_id: {},
  floppy_files: {},
  vmdk_file: {},

  iso_file: {},
  iso_src: {},
  iso_md5: {},
  iso_sha1: {},
  iso_sha256: {},
  iso_sha512: {},
  iso_download_instructions: {},
  iso_download_timeout: number(1000),

  boot_wait: number(),
  boot_cmd_sequence: { initial: [] },
  kickstart_ip: {},
  kickstart_port: number(),
  kickstart_timeout: {},
  kickstart_file: {},

  ssh_login_timeout: number(),
  ssh_user: {},
  ssh_password: {},
  ssh_key: {},
  ssh_host_port: number('2222'),
  ssh_guest_port: number('22'),
  force_ssh_port: { initial: false },
  skip_nat_mapping: { initial: false },

  sudo_cmd: {},
  shutdown_cmd: {},
  reboot_cmd: {},
  pre_postinstall_file: {},
  postinstall_files: { initial: [] },
  postinstall_timeout: number(10000),
  params: { initial: new RubyHash() },
  skip_iso_transfer: { initial: false },
  hooks: {},

  virtualbox: { initial: options() },
  vmfusion: { initial: options() },
  kvm: { initial: options() },
  parallels: {},
  hyperv: {},
  hyperv_host: {},
  add_shares: { initial: [] },
  // Accepted by VeeWee, and never used by it.
  use_hw_virt_ext: {},
  use_pae: {},

  winrm_login_timeout: windows,
  winrm_user: windows,
  winrm_password: windows,
  winrm_host_port: windows,
  winrm_guest_port: windows,

  pagefusion: vboxSwitch,
  acpi: vboxSwitch,
  ioapic: vboxSwitch,
  pae: vboxSwitch,
  hpet: vboxSwitch,
  hwvirtex: vboxSwitch,
  hwvirtexcl: vboxSwitch,
  nestedpaging: vboxSwitch,
  largepages: vboxSwitch,
  vtxvpid: vboxSwitch,
  synthxcpu: vboxSwitch,
  rtcuseutc: vboxSwitch,
}

/** Spelt so often that VeeWee's own templates had them: what was meant. */
export const MISSPELT: Readonly<Record<string, string>> = {
  hwvirtext: 'hwvirtex',
  iso_dowload_timeout: 'iso_download_timeout',
  hostiocahe: 'hostiocache',
  iso_sha_256: 'iso_sha256',
  iso_sha256sum: 'iso_sha256',
  iso_md5sum: 'iso_md5',
}

export function keyNamed(name: string): KnownKey | undefined {
  return Object.hasOwn(KEYS, name) ? KEYS[name] : undefined
}
