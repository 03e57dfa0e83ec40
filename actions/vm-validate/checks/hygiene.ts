import type { Guest } from '../../lib/guest/guest.ts'

/** A check that only a sealed disk, booted for the first time, can pass. */
export interface HygieneCheck {
  title: string
  /** Shell lines for the guest; every line they print is a fault, and printing nothing means passed. */
  script: string
}

export interface HygieneFacts {
  /** Our public key as `authorized_keys` would hold it: type, base64, comment. */
  publicKey: string
  /** Keys that the spec ships, as lines of `authorized_keys`. */
  shippedKeys?: readonly string[]
  /** What the machine is to call itself: the appliance's name. */
  hostname: string
  /** Prefix of all paths, for looking at a folder instead of the running system; empty for the guest. */
  root: string
}

/**
 * The list of checks; further ones are further entries. `born FILE…` prints those that are older than this boot
 * (ten seconds are forgiven: the hardware's clock counts whole seconds, and the kernel reads it early).
 */
export function hygieneChecks({ publicKey, shippedKeys = [], hostname, root }: HygieneFacts): HygieneCheck[] {
  const blob = publicKey.trim().split(/\s+/)[1] ?? ''
  const prelude = [
    'set -f',
    `root='${root}'`,
    `boot=$(awk '/^btime/ { print $2 - 10 }' /proc/stat)`,
    'born() { for file; do [ ! -e "$file" ] || [ "$(stat -c %Y "$file")" -ge "$boot" ] || echo "$file is older than this boot"; done; }',
    'here() { for file; do [ ! -e "$file" ] && [ ! -L "$file" ] || echo "$file is there"; done; }',
    'set +f',
  ].join('\n')
  const checks: HygieneCheck[] = [
    {
      title: 'the machine-id is fresh',
      script: `
id=$(cat $root/etc/machine-id 2>/dev/null)
echo "$id" | grep -qxE '[0-9a-f]{32}' || echo "/etc/machine-id is no machine-id: '$id'"
born $root/etc/machine-id
dbus=$root/var/lib/dbus/machine-id
[ ! -e $dbus ] || cmp -s $dbus $root/etc/machine-id || echo "$dbus differs from /etc/machine-id"`,
    },
    {
      title: 'the SSH host keys were made at this boot',
      script: `
[ ! -d $root/etc/ssh ] || ls $root/etc/ssh/ssh_host_*_key >/dev/null 2>&1 || echo 'there are no SSH host keys'
born $root/etc/ssh/ssh_host_*`,
    },
    {
      title: 'no key opens it but those declared, and the one handed in for this test',
      script: `
for file in $root/root/.ssh/authorized_keys* $root/home/*/.ssh/authorized_keys* $root/etc/ssh/authorized_keys*; do
  [ -f "$file" ] || continue
  grep -vE '^[[:space:]]*(#|$)' "$file" | ${[blob, ...shippedKeys.flatMap(blobOf)].map((one) => `grep -vF '${one}'`).join(' | ')} | while read -r line; do echo "$file lets in: $line"; done
done
grep -rlF '${blob}' $root/etc $root/home $root/opt $root/srv $root/usr/local 2>/dev/null | sed 's/$/ holds the key of the build/'`,
    },
    {
      title: 'its name is its own',
      script: `
name=$(cat $root/etc/hostname 2>/dev/null)
[ "$name" = '${hostname}' ] || echo "/etc/hostname says '$name', not ${hostname}"
grep -wn mirror $root/etc/hosts 2>/dev/null | sed 's/^/\\/etc\\/hosts names the mirror: /'`,
    },
    {
      title: 'nothing points to the mirror',
      script: `
grep -rnE '(//|@)mirror(\\.internal)?([/:]|$)|//10\\.77\\.0\\.1|//10\\.0\\.2\\.100' $root/etc/apt $root/etc/gemrc $root/etc/gitconfig \\
  $root/root/.gemrc $root/root/.bundle $root/root/.gitconfig $root/usr/local/bundle 2>/dev/null | head -5`,
    },
    {
      title: 'no Chef and no tools of the build are left',
      script: `
here $root/tools $root/opt/chef $root/etc/chef $root/var/chef $root/root/.chef $root/var/tmp/appliance $root/etc/chef/accepted_licenses
[ -n "$root" ] || for program in chef-solo chef-client cinc-client; do command -v $program; done`,
    },
    {
      title: 'no journal, log or history of the build is left',
      script: `
[ -n "$root" ] || boots=$(journalctl --list-boots --no-pager -q 2>/dev/null | wc -l)
[ "\${boots:-1}" -le 1 ] || echo "the journal knows of $boots boots; this is to be the first"
for file in $root/root/.*_history $root/home/*/.*_history; do [ ! -s "$file" ] || echo "$file is there"; done
find $root/var/log -type f -size +0 2>/dev/null | while read -r file; do born "$file"; done | head -5`,
    },
    {
      title: 'no address or network card of the build is remembered',
      script: `
here $root/etc/udev/rules.d/70-persistent-net.rules
for name in dhcp dhcp3 dhcpcd dhcpcd5 dhclient NetworkManager systemd/network; do
  find $root/var/lib/$name -type f -name '*lease*' 2>/dev/null | while read -r file; do born "$file"; done
done
grep -rniE '^[^#]*(macaddress|hwaddr|mac-address)' $root/etc/netplan $root/etc/systemd/network $root/etc/network \\
  $root/etc/NetworkManager/system-connections 2>/dev/null | head -5`,
    },
    {
      title: 'secrets that must differ per installation were made at this boot',
      script: 'born $root/etc/ssl/private/ssl-cert-snakeoil.key $root/var/lib/systemd/credential.secret',
    },
  ]
  return checks.map(({ title, script }) => ({ title, script: `${prelude}\n${script}\necho '${END}'\n` }))
}

/** The key itself of a line that may begin with options and end with a comment. @see sshd(8) */
function blobOf(line: string): string[] {
  return /(?:^|\s)(AAAA[A-Za-z0-9+/]+=*)(?=\s|$)/.exec(line)?.slice(1) ?? []
}

/** Printed last, so that a script that broke off is not taken for one that found nothing. */
const END = '# checked'

/** Runs one check; the faults it found, one a line. */
export async function faultsFound(guest: Guest, check: HygieneCheck, signal: AbortSignal): Promise<string[]> {
  const options = { signal, timeout: 60_000, allowFailure: true, title: check.title }
  const { stdout, stderr } = await guest.run(check.script, options)
  const lines = stdout.split('\n').filter((line) => line !== '')
  if (lines.pop() === END) return lines
  return [...lines, `the check broke off: ${stderr.trim().split('\n').at(-1) ?? ''}`]
}
