import { empty, type Operation, remove } from './operation.ts'

/** What building left behind: of no use to a customer, and different in every build. */
export function traces(): Operation[] {
  return [
    {
      name: 'cloud-init state',
      reason: 'With it, cloud-init takes the first boot at a customer for a later one.',
      rules: [
        {
          kind: 'write',
          path: '/etc/netplan/90-appliance.yaml',
          content: anyCardByDhcp,
          mode: 0o600,
          where: '/etc/netplan/50-cloud-init.yaml',
        },
        ...remove(
          '/var/lib/cloud/*',
          '/var/log/cloud-init*',
          // Of Ubuntu's installer: the first user's password hash and keys, and the network of the build.
          '/etc/cloud/cloud.cfg.d/{99-installer,90-installer-network,50-curtin-networking}.cfg',
          '/etc/sudoers.d/90-cloud-init-users',
          '/etc/NetworkManager/system-connections/cloud-init-*',
          '/etc/netplan/50-cloud-init.yaml',
          '/etc/network/interfaces.d/50-cloud-init*',
          '/etc/ssh/sshd_config.d/50-cloud-init.conf',
        ),
      ],
    },
    {
      name: 'journals',
      reason: 'They tell of the build, and belong to a machine-id that is gone.',
      rules: remove('/var/log/journal/*'),
    },
    {
      name: 'logs',
      reason: 'They tell of the build. Folders, owners and modes stay: programs need them to start.',
      rules: [
        ...remove('/var/log/**/*.{gz,xz,bz2,zst,old}', '/var/log/**/*.[0-9]', '/var/log/**/*.log-[0-9]*'),
        ...remove('/var/log/installer', '/var/log/anaconda', '/var/lib/logrotate/status'),
        ...remove(
          '/root/{anaconda,original,initial-setup}-ks.cfg',
          '/var/spool/abrt/*',
          '/var/lib/rpm/{__db.*,.rpm.lock}',
        ),
        ...empty('/var/log/**', '/var/account/pacct'),
      ],
    },
    {
      name: 'package caches',
      reason: 'Old lists and archives, of no use without the mirror.',
      rules: remove(
        '/var/lib/apt/lists/*_*',
        '/var/lib/apt/lists/{lock,partial/*,auxfiles/*}',
        '/var/lib/apt/{daily_lock,periodic/*,mirrors/*}',
        '/var/cache/apt/*.bin',
        '/var/cache/apt/archives/*.deb',
        '/var/cache/apt/archives/{lock,partial/*}',
        '/var/cache/{dnf,yum}/*',
        '~/.{bundle/cache,gem/specs}',
      ),
    },
    {
      name: 'derived caches',
      reason: 'They differ from build to build and are made again when needed.',
      rules: remove(
        '/var/cache/ldconfig/aux-cache',
        '/var/cache/debconf/*-old',
        '/var/cache/man/*',
        '/var/cache/fontconfig/*',
        '/var/lib/dpkg/{status,available,diversions,statoverride}-old',
        '/var/lib/dpkg/updates/[0-9]*',
        '/var/lib/ucf/{hashfile,registry}.[0-9]*',
        '/var/lib/systemd/catalog/database.*',
      ),
    },
    {
      name: 'backups of the system files',
      reason: 'They hold what accounts and packages were like during the build.',
      rules: remove(
        '/etc/{passwd,group,shadow,gshadow,subuid,subgid}-',
        '/etc/.pwd.lock',
        '/var/backups/{dpkg,apt,alternatives,passwd,group,shadow,gshadow}*',
      ),
    },
    {
      name: 'temporary files',
      reason: 'Whatever the build left there.',
      rules: remove('/tmp/*', '/var/tmp/*', '/run/*', '/var/crash/*', '/lost+found/*'),
    },
    {
      name: 'systemd state',
      reason: "Timers' stamps, the clock and crash dumps of the build.",
      rules: remove(
        '/var/lib/systemd/timers/*',
        '/var/lib/systemd/timesync/clock',
        '/var/lib/systemd/{coredump,pstore,rfkill,backlight,ephemeral-trees}/*',
        '/var/lib/private/systemd/{timesync/clock,journal-upload/*}',
        '/var/spool/anacron/*',
      ),
    },
    {
      name: 'swap file',
      reason:
        "Pieces of the build's memory; the machine makes a new one (veewee-basebox, appliance-swap-file).",
      rules: remove('/swapfile*'),
    },
    {
      name: 'mail',
      reason: "The build's cron jobs and installers write to root.",
      rules: remove('/var/mail/*', '/var/spool/mail/*'),
    },
    {
      name: 'shell histories',
      reason: 'They show what was typed during the build, passwords among it.',
      rules: remove(
        '~/.{bash,zsh,python,irb,psql,mysql,sqlite,node_repl,rediscli}_history',
        '~/.{sh_history,histfile,lesshst,viminfo,wget-hsts,sudo_as_admin_successful}',
        '~/.cache',
      ),
    },
    {
      name: 'SSH access of the build',
      reason: 'A key that opens the appliance at every customer.',
      rules: remove(
        '~/.ssh/{authorized_keys*,known_hosts*,environment}',
        '/etc/ssh/{authorized_keys,ssh_known_hosts}*',
      ),
    },
    {
      name: 'Chef',
      reason: 'Its cache and backups hold old settings, secrets among them.',
      rules: remove(
        '/var/chef',
        '/var/cache/chef',
        '/etc/chef/{client.pem,accepted_licenses}',
        '~/.chef',
        '/root/.chef',
      ),
    },
  ]
}

/**
 * In place of what cloud-init wrote for the build machine's card. Of several that match a card the first name counts:
 * whatever the product has says more.
 */
const anyCardByDhcp = `network:
  version: 2
  ethernets:
    zz-any:
      match: { name: "e*" }
      dhcp4: true
      dhcp-identifier: mac
`
