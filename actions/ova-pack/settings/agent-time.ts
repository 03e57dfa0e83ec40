/** The part of the agent that says who is asked for the time: shell, as the rest. @see timesyncd.conf(5), chrony.conf(5) */
export const agentTime = `ntp() {
  has ntp || return 0
  servers=$(value ntp | tr ',;' '  ' | tr -cd 'A-Za-z0-9.: -')
  drop=/etc/systemd/timesyncd.conf.d/appliance.conf
  if [ -z "$servers" ]; then rm -f "$root$drop"
  else printf '[Time]\\nNTP=%s\\n' "$servers" | put $drop 644
  fi
  # The given servers are asked, and not the distribution's beside them.
  for file in /etc/chrony/chrony.conf /etc/chrony.conf; do
    [ ! -e "$root$file" ] || for one in $servers; do echo "server $one iburst"; done | block $file '(pool|server|peer)[[:space:]]'
  done
}
`
