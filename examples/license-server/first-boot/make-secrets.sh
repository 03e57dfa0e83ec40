#!/bin/sh
# Secrets no two customers may share: one signs browser sessions, one signs the answers products get.
# A power cut may bring this script back: a secret that is there stays.
set -eu
umask 077

folder=/etc/license-server/secrets
install -d -m 0750 -g license-server "$folder"
for name in session api; do
  [ -s "$folder/$name" ] && continue
  openssl rand -hex 64 > "$folder/.$name"
  chgrp license-server "$folder/.$name"
  chmod 0640 "$folder/.$name"
  sync "$folder/.$name"
  mv "$folder/.$name" "$folder/$name"
done
