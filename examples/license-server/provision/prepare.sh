#!/bin/sh
# Before Chef, and to show that a step may be a plain script: what this machine's console says above its login.
# agetty puts in the address (\4).
set -eu

cat > /etc/issue <<'ISSUE'
License Server on \n: http://\4/

Log in as root with the administrator's password; then: license-server help

ISSUE
: > /etc/motd
