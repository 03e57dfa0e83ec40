#!/bin/sh
# Before Chef, and to show that a step may be a plain script.
set -eu

# Debian's resolver would answer to its neighbours' questions, on port 5355. This machine offers HTTP and SSH.
mkdir -p /etc/systemd/resolved.conf.d
printf '[Resolve]\nLLMNR=no\nMulticastDNS=no\n' > /etc/systemd/resolved.conf.d/license-server.conf

# What the console says above its login; agetty puts in name (\n) and address (\4).
cat > /etc/issue <<'ISSUE'
License Server on \n: http://\4/

Log in as root with the administrator's password; then: license-server help

ISSUE
: > /etc/motd
