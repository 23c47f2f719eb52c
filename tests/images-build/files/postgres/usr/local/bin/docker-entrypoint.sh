#!/bin/bash
# Starts PostgreSQL as user postgres; the first start makes the cluster.
#   POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE  password of the user (needed unless POSTGRES_HOST_AUTH_METHOD=trust)
#   POSTGRES_USER (postgres)  POSTGRES_DB (the user's name)  POSTGRES_INITDB_ARGS
#   /docker-entrypoint-initdb.d/*.sql *.sh are run once, in the order of their names
set -eo pipefail

if [ "${1:0:1}" = - ]; then
	set -- postgres "$@"
fi
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA"
	find "$PGDATA" \! -user postgres -exec chown postgres:postgres {} +
	chmod 700 "$PGDATA"
	exec setpriv --reuid postgres --regid postgres --init-groups env HOME=/var/lib/postgresql "$0" "$@"
fi

make_cluster() {
	local password=${POSTGRES_PASSWORD:-} user=${POSTGRES_USER:-postgres} database script
	database=${POSTGRES_DB:-$user}
	if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
		password=$(<"$POSTGRES_PASSWORD_FILE")
	fi
	if [ -z "$password" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
		echo "Set POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE or POSTGRES_HOST_AUTH_METHOD=trust." >&2
		exit 1
	fi
	# shellcheck disable=SC2086 # several arguments are meant
	initdb --username="$user" --pwfile=<(printf '%s\n' "${password:-unused}") --encoding=UTF8 \
		--auth-local=trust --auth-host=scram-sha-256 --no-sync ${POSTGRES_INITDB_ARGS:-} >/dev/null
	echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
	pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start >/dev/null
	if [ "$database" != postgres ]; then
		psql -h /tmp -U "$user" -d postgres -v ON_ERROR_STOP=1 -v name="$database" -q \
			<<<'CREATE DATABASE :"name";'
	fi
	for script in /docker-entrypoint-initdb.d/*; do
		case $script in
		*.sql) psql -h /tmp -U "$user" -d "$database" -v ON_ERROR_STOP=1 -q -f "$script" ;;
		*.sh) PGHOST=/tmp PGUSER=$user PGDATABASE=$database bash "$script" ;;
		esac
	done
	pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
}

if [ "$1" = postgres ]; then
	[ -s "$PGDATA/PG_VERSION" ] || make_cluster
	set -- "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
fi
exec "$@"
