import { Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { Operation } from './operation.ts'

/** Whether the guest's kernel asks SELinux, and so whatever sealing wrote has to be labelled. @see selinux(8) */
export async function hasSelinux(root: RootFileSystem): Promise<boolean> {
  const config = (await root.read(['/etc/selinux/config'])).get('/etc/selinux/config')?.toString() ?? ''
  const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(config)?.[1] ?? 'targeted'
  if (!/^\s*SELINUX\s*=\s*(enforcing|permissive)\s*$/im.test(config)) return false
  const policies = new Pattern(`/etc/selinux/${type}/policy/policy.*`)
  return [...(await root.tree([policies])).keys()].some((path) => policies.matches(path))
}

/** @see selinux-autorelabel(8) */
export function labels(wanted: boolean): Operation[] {
  if (!wanted) return []
  return [
    {
      name: 'SELinux labels',
      reason:
        'What the build and sealing wrote may have none: the first boot labels every file, and restarts the machine once.',
      rules: [{ kind: 'write', path: '/.autorelabel', content: '', mode: 0o644 }],
    },
  ]
}
