/** The part of the agent that says who is asked for the time: shell, as the rest. @see timesyncd.conf(5), chrony.conf(5) */
export const agentTime = `chrony='/etc/chrony/chrony.conf /etc/chrony.conf'

asks_for_time() {
  for path in /usr/lib/systemd/systemd-timesyncd /lib/systemd/systemd-timesyncd $chrony; do
    [ ! -e "$root$path" ] || return 0
  done
  return 1
}

ntp() {
  has ntp || return 0
  servers=$(value ntp | tr ',;' '  ' | tr -cd 'A-Za-z0-9.: -')
  drop=/etc/systemd/timesyncd.conf.d/appliance.conf
  if [ -z "$servers" ]; then rm -f "$root$drop"
  else printf '[Time]\\nNTP=%s\\n' "$servers" | put $drop 644
  fi
  [ -z "$servers" ] || asks_for_time || say 'ntp: nothing here takes time servers, neither systemd-timesyncd nor chrony'
  # The given servers are asked, and not the distribution's beside them.
  for file in $chrony; do
    [ ! -e "$root$file" ] || for one in $servers; do echo "server $one iburst"; done | block $file '(pool|server|peer)[[:space:]]'
  done
}
`
