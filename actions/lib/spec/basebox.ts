import { bootstrap } from './bootstrap.ts'
import { existing } from './existing.ts'
import { count, list, oneOf, section, size, words } from './section.ts'

/** What the build gives the machine where neither the spec nor a definition says. */
export const hardwareOfBuild = { cpus: 2, memory: '1 GiB', disk: '10 GiB' } as const

/** `basebox`: the minimal machine. cpus, memory and disk are those of the definition where it has none of its own. */
export const basebox = (directory: string) =>
  section({
    bootstrap: bootstrap(directory)
      .optional()
      .describe('A base machine made straight from the mirror, no installer run'),
    definition: existing(directory, 'a folder with a VeeWee definition', 'folder')
      .optional()
      .describe('A VeeWee definition: the folder of its definition.rb'),
    strategy: oneOf(['install', 'bootstrap'])
      .optional()
      .describe(
        'Of a definition: run its installer (install, the default), or take its machine, user and postinstall files and make the system from the mirror (bootstrap)',
      ),
    cpus: count(1).optional().describe(`By default the definition’s, or ${hardwareOfBuild.cpus}`),
    memory: size('1 GiB').optional().describe(`By default the definition’s, or ${hardwareOfBuild.memory}`),
    disk: size('10 GiB').optional().describe(`By default the definition’s, or ${hardwareOfBuild.disk}`),
    hypervisor: oneOf(['qemu', 'virtualbox'])
      .default('qemu')
      .describe('What runs a definition’s installer and its scripts'),
    boxes: list(oneOf(['libvirt', 'virtualbox', 'qemu']), 'a list of libvirt, virtualbox and qemu')
      .default(['libvirt'])
      .describe('Vagrant boxes of the base machine, by provider'),
    allow: list(words('a package'), 'a list of packages')
      .default([])
      .describe('Packages of hypervisors’ extensions that are meant to be there, e.g. [open-vm-tools]'),
  }).prefault({})
