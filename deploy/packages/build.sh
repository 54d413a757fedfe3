#!/bin/sh
# Builds the packages from this work tree into DIRECTORY:
#
#	deploy/packages/build.sh VERSION DIRECTORY
#
# PROGRAMS names a directory that has the three programs already, static. ARCH is the
# architecture as Go names it, this machine's where it is not set.
set -eu
if [ $# != 2 ]; then
	echo "usage: $0 VERSION DIRECTORY" >&2
	exit 2
fi
export VERSION=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
ARCH=${ARCH:-$(go env GOARCH)}
export STAGE ARCH

usr=$STAGE/usr
mkdir -p "$usr/bin" "$usr/share/llorch" "$usr/lib/systemd/system" "$usr/lib/sysusers.d" "$usr/share/doc/llorch" "$STAGE/etc/llorch"
if [ -n "${PROGRAMS:-}" ]; then
	for name in llorch orchestratord poolmanagerd; do cp "$PROGRAMS/$name" "$usr/bin/"; done
else
	CGO_ENABLED=0 GOARCH=$ARCH go build -trimpath -ldflags "-s -w" -o "$usr/bin/" \
		./caddymodule/cmd/llorch ./orchestrator/cmd/orchestratord ./poolmanager/cmd/poolmanagerd
fi

# A package has its programs in /usr/bin.
for unit in deploy/systemd/*.service; do
	sed 's|/usr/local/bin/|/usr/bin/|' "$unit" >"$usr/lib/systemd/system/$(basename "$unit")"
done
cp deploy/packages/etc/sysusers.conf "$usr/lib/sysusers.d/llorch.conf"
cp -r deploy/presets deploy/cluster deploy/observability Caddyfile.example "$usr/share/llorch/"
cp README.md CHANGELOG.md LICENSE "$usr/share/doc/llorch/"
cp LICENSE "$usr/share/doc/llorch/copyright"

# The policy to start from, with the gateway's credential from its unit.
sed 's|{env.LLORCH_UPSTREAM_TOKEN}|credential:upstream_token|' Caddyfile.example >"$STAGE/etc/llorch/Caddyfile"

# From the program itself: one that runs here.
mkdir -p "$usr/share/bash-completion/completions" "$usr/share/zsh/vendor-completions" "$usr/share/fish/vendor_completions.d" "$usr/share/man/man8"
"$usr/bin/llorch" completion bash >"$usr/share/bash-completion/completions/llorch"
"$usr/bin/llorch" completion zsh >"$usr/share/zsh/vendor-completions/_llorch"
"$usr/bin/llorch" completion fish >"$usr/share/fish/vendor_completions.d/llorch.fish"
for name in llorch orchestratord poolmanagerd; do
	"$usr/bin/$name" manpage --directory "$usr/share/man/man8" 2>/dev/null
done
gzip -9n "$usr/share/man/man8/"*.8

chmod -R u=rwX,go=rX "$STAGE"
chmod 0755 "$usr/bin/"* "$usr/share/llorch/cluster/certificates.sh"
cd deploy/packages
for packager in deb rpm; do
	go tool nfpm package --config nfpm.yaml --packager "$packager" --target "$out/"
done
