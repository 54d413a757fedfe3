#!/bin/sh
# Makes what the containers of compose.yaml keep secret, as root, in the directory
# secrets: an authority and certificates for TLS, another for the routes between
# orchestrators, and tokens. Nothing that exists is replaced.
#
#	sudo ./secrets.sh
#
# The directories belong to the user 10001 of the image, and other users cannot enter
# them. authority is for the operator alone and is in no container: move it elsewhere.
set -eu
umask 077
cd "$(dirname "$0")"
certificates=$PWD/../../cluster/certificates.sh
net=${LLORCH_NET:-10.89.83}
[ "$(id -u)" = 0 ] || { echo "$0: only root can give files to the user of the containers" >&2; exit 1; }
if [ -e secrets ]; then
	echo "$0: $PWD/secrets exists; remove it for new secrets, with the volumes of the orchestrators" >&2
	exit 1
fi
rm -rf secrets.next
mkdir -p secrets.next/authority

# quietly COMMAND…: its messages are shown where it fails.
quietly() { "$@" 2>secrets.next/messages || { cat secrets.next/messages >&2; exit 1; }; }
token() { openssl rand -hex 32 >"secrets.next/$1"; }
# copy FROM TO: below the two directories
copy() { cp "secrets.next/authority/$1" "secrets.next/$2"; }

quietly "$certificates" secrets.next/authority/tls orch1 orch2 orch3 worker1 worker2
quietly "$certificates" secrets.next/authority/cluster "$net.11" "$net.12" "$net.13"

for host in orch1 orch2 orch3 worker1 worker2; do
	mkdir -p "secrets.next/$host/gateway" "secrets.next/$host/backend"
	copy "tls/$host.pem" "$host/gateway/tls.pem"
	copy "tls/$host.key" "$host/gateway/tls.key"
	copy tls/ca.pem "$host/gateway/ca.pem"
	copy tls/ca.pem "$host/backend/ca.pem"
	token "$host/gateway/upstream_token"
	cp "secrets.next/$host/gateway/upstream_token" "secrets.next/$host/backend/upstream_token"
done
for n in 1 2 3; do
	copy "cluster/$net.1$n.pem" "orch$n/backend/cluster.pem"
	copy "cluster/$net.1$n.key" "orch$n/backend/cluster.key"
	copy cluster/ca.pem "orch$n/backend/cluster_ca.pem"
done
for host in worker1 worker2; do
	token "$host/gateway/dispatch_token"
	cp "secrets.next/$host/gateway/dispatch_token" "secrets.next/$host/backend/dispatch_token"
	token "$host/gateway/poolmanager_token"
	cp "secrets.next/$host/gateway/poolmanager_token" "secrets.next/$host/backend/poolmanager_token"
done

# What a worker's gateway sends to the orchestrators is a line of their keyring.
mkdir secrets.next/keyring
chown -R 10001:10001 secrets.next/keyring
for host in worker1 worker2; do
	quietly docker run --rm --read-only --network none --cap-drop ALL -v "$PWD/secrets.next/keyring:/etc/llorch/keyring" \
		"${LLORCH_IMAGE:-llorch:latest}" llorch authmin token new "$host" nodes catalog --file /etc/llorch/keyring/tokens \
		>"secrets.next/$host/gateway/orchestrator_token"
done
for host in orch1 orch2 orch3 worker1 worker2; do
	chown -R 10001:10001 "secrets.next/$host"
done
cp secrets.next/authority/tls/ca.pem secrets.next/ca.pem
chmod 0644 secrets.next/ca.pem
chmod 0711 secrets.next
rm secrets.next/messages
mv secrets.next secrets
