#!/bin/sh
# Before Chef, and to show that a step may be a plain script.
set -eu

# What the console says above its login; agetty puts in name (\n) and address (\4).
cat > /etc/issue <<'ISSUE'
License Server on \n: http://\4/

Log in as root with the administrator's password; then: license-server help

ISSUE
: > /etc/motd
