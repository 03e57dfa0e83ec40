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
  at=/run/appliance-ovf
  mkdir -p $at
  for device in /dev/sr[0-9]* /dev/disk/by-label/OVF*; do
    [ -b "$device" ] || continue
    mount -t iso9660 -o ro,nosuid,nodev,noexec "$device" $at 2>/dev/null || continue
    for file in $at/[oO][vV][fF]-[eE][nN][vV].[xX][mM][lL]; do [ -f "$file" ] && cat "$file"; done
    umount $at
  done
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

# put PATH MODE: standard input becomes the file, all at once.
put() {
  mkdir -p "$(dirname "$root$1")"
  cat >"$root$1.new" && chmod "$2" "$root$1.new" && mv "$root$1.new" "$root$1"
}

# The value of a property, given or default, in one line; nothing for one this appliance does not have.
value() { raw "$1" | tr '\\r\\n' '  ' | sed 's/^ *//; s/ *$//'; }
raw() {
  [ -e "$defaults/$1" ] || return 0
  if [ -e "$given/$1" ]; then cat "$given/$1"; else cat "$defaults/$1"; fi
}

has() { [ -e "$defaults/$1" ]; }
isaddress() { case $1 in *:*) echo "$1" | grep -qxE '[0-9A-Fa-f:.]+' ;; *) echo "$1" | grep -qxE '([0-9]{1,3}\\.){3}[0-9]{1,3}' ;; esac; }

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

# The first network card, by name.
card() {
  for path in "$root"/sys/class/net/*; do
    [ -e "$path/device" ] && { basename "$path"; return; }
  done
}

enabled() {
  for path in "$root"/etc/systemd/system/*.wants/"$1" "$root"/etc/systemd/system/"$2"; do
    [ -e "$path" ] || [ -L "$path" ] && return 0
  done
  return 1
}

network() {
  has address || has dns || return 0
  address=$(value address)
  gateway=$(value gateway)
  dns=$(addresses dns "$(value dns)")
  search=$(value search | tr ',;' '  ' | tr -cd 'A-Za-z0-9. -')
  case $address in
    ''|dhcp|DHCP) address= ;;
    */*) isaddress "\${address%/*}" && echo "\${address#*/}" | grep -qxE '[0-9]{1,3}' || { say "address: $address is none, DHCP it is"; address=; } ;;
    *) say "address: $address has no prefix such as /24, DHCP it is"; address= ;;
  esac
  if [ -n "$gateway" ] && ! isaddress "$gateway"; then say "gateway: $gateway is no address, left out"; gateway=; fi
  [ -n "$address" ] || gateway=
  nic=$(card)
  if [ -z "$nic" ] && [ -n "$address" ]; then say 'there is no network card to give the address to'; return 0; fi
  renderer=$(cat "$root"/etc/netplan/*.yaml 2>/dev/null | sed -n 's/^ *renderer: *//p' | tail -n 1)
  if [ "$renderer" = NetworkManager ] || { [ ! -d "$root/etc/netplan" ] && enabled NetworkManager.service dbus-org.freedesktop.nm-dispatcher.service; }; then by_networkmanager
  elif enabled systemd-networkd.service dbus-org.freedesktop.network1.service || [ -d "$root/etc/netplan" ]; then by_networkd
  elif [ -e "$root/etc/network/interfaces" ]; then by_ifupdown
  elif [ -n "$address$dns" ]; then say 'nothing here configures networks: networkd, NetworkManager or ifupdown'
  fi
}

by_networkd() {
  file=/etc/systemd/network/05-appliance.network
  if [ -z "$address$dns$search" ]; then rm -f "$root$file"; return 0; fi
  {
    printf '[Match]\\nName=%s\\n\\n[Network]\\n' "\${nic:-en* eth*}"
    if [ -n "$address" ]; then echo "Address=$address"; else echo 'DHCP=yes'; fi
    [ -z "$gateway" ] || echo "Gateway=$gateway"
    for one in $dns; do echo "DNS=$one"; done
    [ -z "$search" ] || echo "Domains=$search"
    printf '\\n[DHCPv4]\\nClientIdentifier=mac\\n'
    [ -z "$dns" ] || echo 'UseDNS=no'
  } | put $file 644
}

by_networkmanager() {
  file=/etc/NetworkManager/system-connections/appliance.nmconnection
  if [ -z "$address$dns$search" ]; then rm -f "$root$file"; return 0; fi
  family=ipv4 other=ipv6
  case $address in *:*) family=ipv6 other=ipv4 ;; esac
  {
    printf '[connection]\\nid=appliance\\ntype=ethernet\\nautoconnect-priority=100\\n'
    [ -z "$nic" ] || echo "interface-name=$nic"
    printf '\\n[%s]\\n' $family
    if [ -n "$address" ]; then echo method=manual; echo "address1=$address\${gateway:+,$gateway}"; else echo method=auto; fi
    [ -z "$dns" ] || { echo "dns=$(echo $dns | tr ' ' ';');"; echo ignore-auto-dns=true; }
    [ -z "$search" ] || echo "dns-search=$(echo $search | tr ' ' ';');"
    printf '\\n[%s]\\nmethod=auto\\n' $other
  } | put $file 600
}

by_ifupdown() {
  [ -n "$address$dns" ] || return 0
  file=/etc/network/interfaces
  [ -e "$root$file.before-appliance" ] || cp "$root$file" "$root$file.before-appliance"
  if [ -n "$address" ]; then
    family=inet
    case $address in *:*) family=inet6 ;; esac
    {
      printf 'auto lo\\niface lo inet loopback\\n\\nauto %s\\niface %s %s static\\n  address %s\\n' "$nic" "$nic" $family "$address"
      [ -z "$gateway" ] || echo "  gateway $gateway"
    } | put $file 644
  fi
  if [ -n "$dns" ] && [ ! -L "$root/etc/resolv.conf" ]; then
    {
      [ -z "$search" ] || echo "search $search"
      for one in $dns; do echo "nameserver $one"; done
    } | put /etc/resolv.conf 644
  fi
}

ntp() {
  has ntp || return 0
  servers=$(value ntp | tr ',;' '  ' | tr -cd 'A-Za-z0-9.: -')
  if [ -z "$servers" ]; then rm -f "$root/etc/systemd/timesyncd.conf.d/appliance.conf" "$root/etc/chrony/sources.d/appliance.sources"; return 0; fi
  printf '[Time]\\nNTP=%s\\n' "$servers" | put /etc/systemd/timesyncd.conf.d/appliance.conf 644
  if [ -d "$root/etc/chrony" ]; then for one in $servers; do echo "server $one iburst"; done | put /etc/chrony/sources.d/appliance.sources 644
  elif [ -e "$root/etc/chrony.conf" ]; then
    { sed '/# appliance$/d; /^\\(pool\\|server\\) /d' "$root/etc/chrony.conf"; for one in $servers; do echo "server $one iburst"; done; } | put /etc/chrony.conf 644
  fi
}

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

# PEM whose line ends got lost in a one-line field, or base64 of PEM.
ca() {
  has ca || return 0
  text=$(raw ca)
  [ -n "$text" ] || return 0
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
  if [ -d "$root/etc/pki/ca-trust" ]; then
    printf '%s\\n' "$pem" | put /etc/pki/ca-trust/source/anchors/appliance.crt 644
    live && update-ca-trust
  else
    printf '%s\\n' "$pem" | put /usr/local/share/ca-certificates/appliance.crt 644
    live && command -v update-ca-certificates >/dev/null && update-ca-certificates >/dev/null
  fi
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
