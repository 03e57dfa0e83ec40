#!/bin/sh
# This machine's own PostgreSQL cluster, with the application's role, database and tables.
# The mark is set when all is done and on disk. Without it, what is there was left by a power cut during this
# script, before the application ever ran: it is made anew.
set -eu

version=15
mark=/var/lib/license-server/database-created
[ -e "$mark" ] && exit 0

pg_dropcluster --stop "$version" main 2> /dev/null || true
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"

# --no-sync spares hundreds of waits for the disk; `sync` below makes up for it.
pg_createcluster --encoding=UTF8 --locale=C.UTF-8 "$version" main -- --no-sync
# Its socket only: the network has no way in.
pg_conftool "$version" main set listen_addresses ''
if [ -d /run/systemd/system ]; then
  systemctl start "postgresql@$version-main.service"
else
  pg_ctlcluster "$version" main start
fi

as() { user=$1; shift; runuser -u "$user" -- "$@"; }
cd /
as postgres createuser license-server
as postgres createdb --owner=license-server license-server
as license-server psql --quiet --set ON_ERROR_STOP=1 --dbname license-server < /opt/license-server/app/db/schema.sql

sync
mkdir -p "$(dirname "$mark")"
touch "$mark"
sync
