import { agentNetwork } from './agent-network.ts'
import { agentTime } from './agent-time.ts'
import { DEFAULTS } from './agent-unit.ts'

/**
 * The agent: POSIX shell and awk, since a small guest has no more. It reads the OVF environment (from VMware's tools,
 * or from the ISO image that the hypervisor plugs in), and applies what it knows by whatever the guest configures its
 * network with. A wrong value is told and left out; the machine boots in any case. A power cut in the middle: all of
 * it again, since the mark is set last.
 *
 * `APPLIANCE_ROOT` and `APPLIANCE_ENVIRONMENT` serve the tests.
 *
 * @see DSP0243 1.1.0, clause 11 and annex B (OVF environment, ISO transport)
 */
export const agent = `#!/bin/sh
# Applies the settings that a customer gave on import; written by ova-pack.
set -u
root=\${APPLIANCE_ROOT:-}
defaults=$root${DEFAULTS}
state=$root/var/lib/appliance
given=$state/properties
umask 077

say() { echo "appliance-settings: $*"; }
live() { [ -z "$root" ]; }

# The OVF environment, on standard output; nothing where there is none.
environment() {
  if [ -n "\${APPLIANCE_ENVIRONMENT:-}" ]; then cat "$APPLIANCE_ENVIRONMENT"; return; fi
  live || return
  for tool in vmtoolsd vmware-rpctool; do
    command -v $tool >/dev/null || continue
    case $tool in
      vmtoolsd) text=$(vmtoolsd --cmd 'info-get guestinfo.ovfEnv' 2>/dev/null) ;;
      *) text=$(vmware-rpctool 'info-get guestinfo.ovfEnv' 2>/dev/null) ;;
    esac
    case $text in *Environment*) printf '%s\\n' "$text"; return ;; esac
  done
  modprobe -q sr_mod 2>/dev/null
  modprobe -q isofs 2>/dev/null
  udevadm settle --timeout=15 2>/dev/null
  # In /var/lib, since SELinux' policies do not let mount(8) mount anywhere in /run.
  at=$state/ovf
  mkdir -p $at
  for device in /dev/sr[0-9]* /dev/disk/by-label/OVF*; do
    [ -b "$device" ] || continue
    mount -t iso9660 -o ro,nosuid,nodev,noexec "$device" $at 2>/dev/null || continue
    for file in $at/[oO][vV][fF]-[eE][nN][vV].[xX][mM][lL]; do [ -f "$file" ] && cat "$file"; done
    umount $at
  done
  rmdir $at
}

# Writes each property of an OVF environment into a file of its name below $1.
properties() {
  awk -v folder="$1" '
    function plain(text) {
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text)
      gsub(/&quot;/, "\\"", text); gsub(/&apos;/, "\\047", text)
      gsub(/&#(10|xA|xa);/, "\\n", text); gsub(/&#(13|xD|xd);/, "", text); gsub(/&#9;/, "\\t", text)
      gsub(/&amp;/, "\\\\&", text)
      return text
    }
    { text = text $0 "\\n" }
    END {
      # What follows belongs to other machines of a vApp.
      sub(/<([A-Za-z0-9]+:)?Entity[ \\t\\r\\n].*/, "", text)
      n = split(text, part, "<")
      for (i = 2; i <= n; i++) {
        if (part[i] !~ /^([A-Za-z0-9]+:)?Property[ \\t\\r\\n]/) continue
        rest = part[i]; key = ""; value = ""
        while (match(rest, /[A-Za-z0-9_.:-]+[ \\t\\r\\n]*=[ \\t\\r\\n]*["\\047]/)) {
          name = substr(rest, RSTART, RLENGTH); quote = substr(name, length(name))
          sub(/[ \\t\\r\\n]*=.*/, "", name); sub(/^.*:/, "", name)
          rest = substr(rest, RSTART + RLENGTH); end = index(rest, quote)
          if (end == 0) break
          if (name == "key") key = substr(rest, 1, end - 1)
          if (name == "value") value = plain(substr(rest, 1, end - 1))
          rest = substr(rest, end + 1)
        }
        if (key ~ /^[A-Za-z][A-Za-z0-9_-]*$/) { printf "%s", value > (folder "/" key); close(folder "/" key) }
      }
    }'
}

# What is renamed keeps the label that SELinux gave it under its first name; nothing where nobody asks SELinux.
relabel() {
  live && command -v restorecon >/dev/null && restorecon "$@"
  return 0
}

# put PATH MODE: standard input becomes the file, all at once. Who reads it need not be root.
put() {
  folder=$(dirname "$root$1")
  [ -d "$folder" ] || { (umask 022; mkdir -p "$folder"); relabel "$folder"; }
  cat >"$root$1.new" && chmod "$2" "$root$1.new" && mv "$root$1.new" "$root$1" && relabel "$root$1"
}

# block PATH COMMENTS: standard input becomes the first lines of a file, in place of those from last time; none: they go.
# Other lines that match the expression COMMENTS (nothing: none do) are commented out meanwhile.
block() {
  lines=$(cat)
  old=$(sed -e '/^# appliance: begin$/,/^# appliance: end$/d' -e 's/^#appliance# //' "$root$1" 2>/dev/null)
  mode=$(stat -c %a "$root$1" 2>/dev/null || echo 644)
  {
    if [ -n "$lines" ]; then
      printf '# appliance: begin\\n%s\\n# appliance: end\\n' "$lines"
      [ -z "$2" ] || old=$(printf '%s\\n' "$old" | sed -E "s/^($2)/#appliance# &/")
    fi
    [ -z "$old" ] || printf '%s\\n' "$old"
  } | put "$1" "$mode"
}

# The value of a property, given or default, in one line; nothing for one this appliance does not have.
value() { raw "$1" | tr '\\r\\n' '  ' | sed 's/^ *//; s/ *$//'; }
raw() {
  [ -e "$defaults/$1" ] || return 0
  if [ -e "$given/$1" ]; then cat "$given/$1"; else cat "$defaults/$1"; fi
}

has() { [ -e "$defaults/$1" ]; }
byte='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
isaddress() {
  case $1 in
    *:::*|*::*::*) return 1 ;;
    *::*) echo "$1" | grep -qxE "([0-9A-Fa-f]{0,4}:){2,7}([0-9A-Fa-f]{0,4}|($byte\\.){3}$byte)" ;;
    *:*) echo "$1" | grep -qxE "([0-9A-Fa-f]{1,4}:){6}([0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}|($byte\\.){3}$byte)" ;;
    *) echo "$1" | grep -qxE "($byte\\.){3}$byte" ;;
  esac
}
# isprefix LENGTH ADDRESS
isprefix() {
  case $2 in *:*) most=128 ;; *) most=32 ;; esac
  echo "$1" | grep -qxE '[0-9]{1,3}' && [ "$1" -le $most ]
}

# Those words of $2 that are addresses; the others are told.
addresses() {
  for word in $(echo "$2" | tr ',;' '  '); do
    if isaddress "$word"; then printf '%s ' "$word"; else say "$1: $word is no address, left out" >&2; fi
  done
}

machine_name() {
  name=$(value hostname)
  [ -n "$name" ] || return 0
  echo "$name" | grep -qxE '[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?' || { say "hostname: $name is none, left out"; return 0; }
  short=\${name%%.*}
  echo "$short" | put /etc/hostname 644
  own="127.0.1.1	$name"
  [ "$short" = "$name" ] || own="$own $short"
  { grep -v '^127\\.0\\.1\\.1[[:space:]]' "$root/etc/hosts" 2>/dev/null; echo "$own"; } | put /etc/hosts 644
  live && echo "$short" >/proc/sys/kernel/hostname
  return 0
}

${agentNetwork}
${agentTime}
proxy() {
  has proxy || return 0
  url=$(value proxy)
  except=$(value no_proxy | tr -cd 'A-Za-z0-9.,:/*_-')
  case $url in
    '') ;;
    http://*|https://*) echo "$url" | grep -qxE "https?://[A-Za-z0-9@:%._~!\\$&()*+,;=/[-]+\\]?[A-Za-z0-9:/.-]*" || { say 'proxy: this is no URL, left out'; url=; } ;;
    *) say "proxy: $url does not begin with http://, left out"; url= ;;
  esac
  { grep -vE '^(http|https|no|HTTP|HTTPS|NO)_(proxy|PROXY)=' "$root/etc/environment" 2>/dev/null
    [ -z "$url" ] || printf 'http_proxy=%s\\nhttps_proxy=%s\\nno_proxy=%s\\n' "$url" "$url" "$except"; } | put /etc/environment 644
  if [ -z "$url" ]; then
    rm -f "$root/etc/systemd/system.conf.d/appliance-proxy.conf" "$root/etc/apt/apt.conf.d/95appliance-proxy"
    return 0
  fi
  printf '[Manager]\\nDefaultEnvironment="http_proxy=%s" "https_proxy=%s" "no_proxy=%s"\\n' "$url" "$url" "$except" | sed 's/%/%%/g' | put /etc/systemd/system.conf.d/appliance-proxy.conf 644
  live && systemctl set-environment "http_proxy=$url" "https_proxy=$url" "no_proxy=$except" 2>/dev/null
  [ ! -d "$root/etc/apt" ] || printf 'Acquire::http::Proxy "%s";\\nAcquire::https::Proxy "%s";\\n' "$url" "$url" | put /etc/apt/apt.conf.d/95appliance-proxy 644
}

trust() {
  live || return 0
  if [ -d "$root/etc/pki/ca-trust" ]; then update-ca-trust
  elif command -v update-ca-certificates >/dev/null; then update-ca-certificates >/dev/null
  fi
}

# PEM whose line ends got lost in a one-line field, or base64 of PEM.
ca() {
  has ca || return 0
  text=$(raw ca)
  if [ -d "$root/etc/pki/ca-trust" ]; then file=/etc/pki/ca-trust/source/anchors/appliance.crt
  else file=/usr/local/share/ca-certificates/appliance.crt
  fi
  if [ -z "$text" ]; then
    [ -e "$root$file" ] || return 0
    rm "$root$file"
    trust
    return 0
  fi
  case $text in *BEGIN*) ;; *) text=$(echo "$text" | tr -d ' \\r\\n' | base64 -d 2>/dev/null) ;; esac
  pem=$(printf '%s\\n' "$text" | tr -d '\\r' | awk '
    { text = text " " $0 }
    END {
      while (match(text, /-----BEGIN CERTIFICATE-----/)) {
        text = substr(text, RSTART + RLENGTH); end = index(text, "-----END CERTIFICATE-----")
        if (end == 0) exit
        body = substr(text, 1, end - 1); gsub(/[^A-Za-z0-9+\\/=]/, "", body)
        print "-----BEGIN CERTIFICATE-----"
        for (; length(body) > 0; body = substr(body, 65)) print substr(body, 1, 64)
        print "-----END CERTIFICATE-----"
      }
    }')
  [ -n "$pem" ] || { say 'ca: this is no certificate, left out'; return 0; }
  printf '%s\\n' "$pem" | put $file 644
  trust
  return 0
}

mkdir -p "$state"
chmod 755 "$state"
rm -rf "$given.new"
mkdir "$given.new"
environment | properties "$given.new"
for path in "$given.new"/*; do
  [ -e "$path" ] && [ ! -e "$defaults/\${path##*/}" ] && rm "$path"
done
# A hypervisor that hands over nothing this time takes nothing back.
if [ -n "$(ls "$given.new")" ]; then
  rm -rf "$given"
  mv "$given.new" "$given"
else rm -rf "$given.new"
fi
mkdir -p "$given"
digest=$(cd "$given" && for key in *; do [ -e "$key" ] && { echo "$key"; cat "$key"; echo; }; done | sha256sum)
if [ "$(cat "$state/settings.applied" 2>/dev/null)" = "$digest" ]; then say 'nothing has changed'; exit 0; fi
if [ -z "$(ls "$given")" ]; then say 'none were given: the defaults hold'
else say "given: $(ls "$given" | tr '\\n' ' ')"
  for part in machine_name network ntp proxy ca; do $part || say "$part could not be applied"; done
fi
sync
echo "$digest" >"$state/settings.applied"
sync
`
