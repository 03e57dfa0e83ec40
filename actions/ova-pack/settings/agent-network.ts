/** The part of the agent that configures the network, by whatever the guest has for it: shell, as the rest. */
export const agentNetwork = `# The first network card, by name.
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
    */*) isaddress "\${address%/*}" && isprefix "\${address#*/}" "$address" || { say "address: $address is none, DHCP it is"; address=; } ;;
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

# of FAMILY ADDRESS
of() { case $2 in *:*) [ "$1" = ipv6 ] ;; *) [ "$1" = ipv4 ] ;; esac; }

by_networkmanager() {
  file=/etc/NetworkManager/system-connections/appliance.nmconnection
  if [ -z "$address$dns$search" ]; then rm -f "$root$file"; return 0; fi
  {
    printf '[connection]\\nid=appliance\\ntype=ethernet\\nautoconnect-priority=100\\n'
    [ -z "$nic" ] || echo "interface-name=$nic"
    for family in ipv4 ipv6; do
      printf '\\n[%s]\\n' $family
      if [ -n "$address" ] && of $family "$address"; then echo method=manual; echo "address1=$address\${gateway:+,$gateway}"
      else echo method=auto
      fi
      own=
      for one in $dns; do of $family "$one" && own="$own$one;"; done
      [ -z "$own" ] || echo "dns=$own"
      [ -z "$dns" ] || echo ignore-auto-dns=true
      [ -z "$search" ] || echo "dns-search=$(echo $search | tr ' ' ';');"
    done
  } | put $file 600
}

# What is there was made by somebody who did not know of settings: it is kept, and comes back.
by_ifupdown() {
  file=/etc/network/interfaces
  if [ -z "$address" ]; then
    [ ! -e "$root$file.before-appliance" ] || { mv "$root$file.before-appliance" "$root$file"; relabel "$root$file"; }
  else
    [ -e "$root$file.before-appliance" ] || cp -p "$root$file" "$root$file.before-appliance"
    family=inet
    case $address in *:*) family=inet6 ;; esac
    {
      printf 'auto lo\\niface lo inet loopback\\n\\nauto %s\\niface %s %s static\\n  address %s\\n' "$nic" "$nic" $family "$address"
      [ -z "$gateway" ] || echo "  gateway $gateway"
      # For resolvconf, which knows no other way.
      [ -z "$dns" ] || echo "  dns-nameservers $(echo $dns)"
      [ -z "$search" ] || echo "  dns-search $search"
    } | put $file 644
  fi
  dns_of_dhcp
  resolver
}

# What else the next lease would bring. @see dhclient.conf(5) supersede, dhcpcd.conf(5) static
dns_of_dhcp() {
  four= six=
  for one in $dns; do
    case $one in *:*) six="$six\${six:+, }$one" ;; *) four="$four\${four:+, }$one" ;; esac
  done
  names=$(for one in $search; do printf '%s"%s"' "\${comma:-}" "$one"; comma=', '; done)
  [ ! -e "$root/etc/dhcp/dhclient.conf" ] || {
    [ -z "$four" ] || echo "supersede domain-name-servers $four;"
    [ -z "$six" ] || echo "supersede dhcp6.name-servers $six;"
    [ -z "$names" ] || echo "supersede domain-search $names;"
  } | block /etc/dhcp/dhclient.conf ''
  [ ! -e "$root/etc/dhcpcd.conf" ] || {
    [ -z "$dns" ] || echo "static domain_name_servers=$(echo $dns)"
    [ -z "$search" ] || echo "static domain_search=$search"
  } | block /etc/dhcpcd.conf ''
}

# Who is asked for names, where ifupdown's DHCP client does not say.
resolver() {
  drop=/etc/systemd/resolved.conf.d/appliance.conf
  target=$(readlink "$root/etc/resolv.conf")
  if [ -z "$dns$search" ]; then
    rm -f "$root$drop"
    [ -n "$target" ] || ! grep -qx '# appliance: begin' "$root/etc/resolv.conf" 2>/dev/null || : | put /etc/resolv.conf 644
    return 0
  fi
  case $target in
    *systemd/resolve*)
      {
        echo '[Resolve]'
        [ -z "$dns" ] || echo "DNS=$(echo $dns)"
        [ -z "$search" ] || echo "Domains=$search"
      } | put $drop 644 ;;
    *resolvconf*) ;;
    '')
      {
        echo '# appliance: begin'
        [ -z "$search" ] || echo "search $search"
        for one in $dns; do echo "nameserver $one"; done
        echo '# appliance: end'
      } | put /etc/resolv.conf 644 ;;
    *) say "dns: /etc/resolv.conf leads to $target, and nothing here writes that" ;;
  esac
}
`
