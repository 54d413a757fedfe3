#!/bin/sh
# Before the files go, but not where an upgrade replaces them: dpkg says "remove", rpm
# how many versions stay.
set -eu
case ${1:-} in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now llorch-gateway.service poolmanagerd.service orchestratord.service || true
fi
