#!/bin/sh
set -e
install -d -o redis -g redis -m 755 /data
