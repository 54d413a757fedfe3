#!/bin/sh
# After the files are gone: what stays is the machine's own, and no package may take it.
set -eu
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
case ${1:-} in
purge | 0) ;;
*) exit 0 ;;
esac
for path in /etc/llorch/credentials /etc/llorch/keyring /var/lib/llorch-gateway /var/lib/llorch-orchestrator /var/lib/llorch-poolmanager /var/log/llorch; do
	if [ -e "$path" ]; then
		left="${left:-} $path"
	fi
done
if [ -n "${left:-}" ]; then
	echo "llorch: left on this machine, with tokens, certificates, tasks, models and the audit trail:$left"
fi
echo "llorch: the users llorch-gateway, llorch-orchestrator and llorch-poolmanager stay too"
