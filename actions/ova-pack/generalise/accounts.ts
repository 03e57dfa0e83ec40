import { dropLines, type Operation, type Rule, remove, removeIf } from './operation.ts'

/** What lets a machine, or its builder, into other places. */
export function accounts(): Operation[] {
  return [
    {
      name: 'credentials of the builder',
      reason: 'Tokens and passwords with which the build reached registries, clouds and databases.',
      rules: [
        ...remove(
          '~/.{netrc,git-credentials,pgpass,my.cnf,pypirc,npmrc.bak,dockercfg,s3cfg,boto,vault-token}',
          '~/.aws/{credentials,cli,sso}',
          '~/.docker/config.json',
          '~/.kube/{config,cache}',
          '~/.config/{gh,gcloud,hub,rclone,containers/auth.json}',
          '~/.azure',
          '~/.gem/credentials',
          '~/.local/share/gem/credentials',
          '~/.cargo/credentials*',
          '~/.terraform.d/credentials.tfrc.json',
          '~/.ansible',
          '~/.vagrant.d',
          '~/.m2/settings{,-security}.xml',
          '~/.subversion/auth',
          '~/.config/git/credentials',
        ),
        ...dropLines(npmSecret, '~/.npmrc'),
        ...dropLines(bundlerSecret, '~/.bundle/config', '~/.config/bundler/config'),
      ],
    },
    {
      name: 'private keys of users',
      reason: 'Keys that open other machines, or sign as somebody.',
      rules: [
        ...remove(
          '~/.ssh/{id_rsa,id_dsa,id_ecdsa,id_ed25519,id_ecdsa_sk,id_ed25519_sk,identity}',
          '~/.ssh/{id_rsa,id_dsa,id_ecdsa,id_ed25519,id_ecdsa_sk,id_ed25519_sk}.pub',
          '~/.gnupg/{private-keys-v1.d,secring.gpg,random_seed}',
          '~/.putty',
        ),
        ...removeIf(/^-----BEGIN [A-Z ]*PRIVATE KEY-----/m, '~/.ssh/*'),
      ],
    },
    {
      name: 'enrolments',
      reason:
        'The machine as a member of a directory, a subscription or a configuration manager: one, not many.',
      rules: [
        ...remove(
          '/etc/sysconfig/rhn/systemid*',
          '/etc/pki/{consumer,entitlement}/*',
          '/var/lib/rhsm/{cache,facts}/*',
          '/etc/krb5.keytab',
          '/var/lib/sss/{db,mc,pipes,pubconf}/*',
          '/var/lib/samba/private/{secrets.tdb,*.ldb}',
          '/var/lib/ipa-client/{sysrestore,pki}/*',
          '/etc/{puppet,puppetlabs/puppet}/ssl',
          '/var/lib/puppet/ssl',
          '/etc/salt/pki/minion/*',
          '/etc/salt/minion_id',
          '/var/lib/ubuntu-advantage/private/*',
          '/var/lib/landscape/client/broker.bpickle*',
          '/var/lib/waagent/*',
          '/var/lib/amazon/ssm/*',
          '/var/lib/tailscale/tailscaled.state',
        ),
        initiatorName,
      ],
    },
    {
      name: 'services’ own identities',
      reason: 'Keys and identifiers that services make for one machine when they are installed.',
      rules: remove(
        '/var/lib/dovecot/{ssl-parameters.dat,instances}',
        '/etc/dovecot/private/dovecot.{key,pem}',
        '/etc/multipath/{wwids,bindings}',
        '/var/lib/snmp/snmpd.conf',
        '/var/lib/docker/engine-id',
        '/etc/docker/key.json',
        '/var/lib/grafana/grafana.db',
        '/etc/rancher/node/password',
      ),
    },
  ]
}

/** The other lines say where packages come from and go to. @see npmrc(5), "Auth related configuration" */
const npmSecret = /^\s*(?:\/\/\S+?:)?(?:_auth|_authToken|_password|username|certfile|keyfile|key)\s*=/

/** `BUNDLE_HOST__NAME: user:password`, and addresses with a password in them. @see bundle-config(1) */
const bundlerSecret = /^BUNDLE_(?!(?:BUILD|LOCAL|MIRROR|PATH|GEM)__)[A-Z0-9_]+__[A-Z0-9_]+:|:\/\/[^\s/@]+@/

/** With this line open-iscsi makes itself a name at its first start. @see iscsi-name(8) */
const initiatorName: Rule = {
  kind: 'edit',
  pattern: '/etc/iscsi/initiatorname.iscsi',
  change: (text) => (/^InitiatorName=/m.test(text) ? 'GenerateName=yes\n' : text),
}
