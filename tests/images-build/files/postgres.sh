#!/bin/sh
set -e
install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
install -d -m 755 /docker-entrypoint-initdb.d
