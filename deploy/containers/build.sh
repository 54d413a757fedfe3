#!/bin/sh
# Builds the image from this work tree:
#
#	deploy/containers/build.sh [IMAGE]
#
# IMAGE is llorch:latest where none is named. It wants Go, GNU tar, the certificates of
# Debian's ca-certificates, and docker, or DOCKER=podman. With ROOTFS=FILE the archive
# of the image's files is written there, and no image is built.
set -eu
image=${1:-llorch:latest}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

programs="llorch orchestratord poolmanagerd"
root=$work/root
mkdir -p "$root/usr/local/bin" "$root/usr/share/llorch" "$root/etc/ssl/certs"
if [ -n "${PROGRAMS:-}" ]; then # a directory that already has them, static
	for name in $programs; do cp "$PROGRAMS/$name" "$root/usr/local/bin/"; done
else
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$root/usr/local/bin/" \
		./caddymodule/cmd/llorch ./orchestrator/cmd/orchestratord ./poolmanager/cmd/poolmanagerd
fi
cp -r deploy/presets "$root/usr/share/llorch/presets"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
chmod -R u=rwX,go=rX "$root"

# What the programs write: a volume that is mounted there for the first time gets owner
# and mode from here.
own="etc/llorch/keyring run/llorch run/llorch-orchestrator run/llorch-poolmanager
var/lib/llorch-gateway var/lib/llorch-orchestrator var/lib/llorch-poolmanager var/log/llorch"
for dir in $own; do
	mkdir -p "$root/$(dirname "$dir")"
	mkdir -p -m 0700 "$work/own/$dir"
done
chmod 0755 "$root/etc/llorch" "$root/run" "$root/var" "$root/var/lib" "$root/var/log"

tar="$work/rootfs.tar"
common="--sort=name --numeric-owner --mtime=@0 --format=gnu"
tar --create --file "$tar" $common --owner=0 --group=0 --mode=go-w -C "$root" .
# shellcheck disable=SC2086
tar --append --file "$tar" $common --owner=10001 --group=10001 -C "$work/own" $own
if [ -n "${ROOTFS:-}" ]; then
	mv "$tar" "$ROOTFS"
	exit
fi
mkdir "$work/context"
mv "$tar" "$work/context/"
cp deploy/containers/Dockerfile "$work/context/"
"${DOCKER:-docker}" build -t "$image" "$work/context"
