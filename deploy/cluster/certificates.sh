#!/bin/sh
# Makes an authority for the routes between orchestrators, and a certificate for
# each replica:
#
#	certificates.sh DIRECTORY HOST HOST HOST
#
# HOST is a replica's name or IP address as ORCHD_CLUSTER_PEERS spells it. The
# authority is for these routes only: the holder of one of its certificates, for one
# of the peers' names, can read and change all state. Keep ca.key off the replicas;
# it is needed again only to renew. Run again with an existing ca.key, it makes
# new certificates by the same authority, which replicas take without a restart.
#
# In another directory it makes another authority, for gateways with private names:
# deploy/docs/nodes.md.
set -eu
umask 077
if [ $# -lt 2 ]; then
	echo "usage: $0 DIRECTORY HOST..." >&2
	exit 2
fi
dir=$1
shift
mkdir -p "$dir"
cd "$dir"

if [ ! -e ca.key ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out ca.key
	openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=llorch cluster authority" \
		-addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" -out ca.pem
fi
for host in "$@"; do
	case $host in
	*[!0-9.]*:* | *:*) name="IP:$host" ;; # IPv6
	*[!0-9.]*) name="DNS:$host" ;;
	*) name="IP:$host" ;;
	esac
	openssl ecparam -name prime256v1 -genkey -noout -out "$host.key"
	openssl req -new -key "$host.key" -subj "/CN=llorch replica" -out "$host.csr"
	cat >"$host.ext" <<-EXT
		basicConstraints=critical,CA:FALSE
		keyUsage=critical,digitalSignature
		extendedKeyUsage=serverAuth,clientAuth
		subjectAltName=$name
	EXT
	openssl x509 -req -in "$host.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 397 -extfile "$host.ext" -out "$host.pem"
	rm "$host.csr" "$host.ext"
done
