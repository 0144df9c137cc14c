#!/bin/sh
# Runs a program that sees a disk of 2 MiB (SMALLDISK says otherwise) in a folder; nobody else sees it, and it goes when the program ends.
#
#   unshare --mount smalldisk.sh FOLDER PROGRAM ARGUMENT ...
set -eu
mount -t tmpfs -o size="${SMALLDISK:-2m}",mode=700 tmpfs "$1"
cp -a "$1.start/." "$1/"
shift
exec "$@"
