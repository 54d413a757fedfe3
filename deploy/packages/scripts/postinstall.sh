#!/bin/sh
# After the files are there, of an installation and of an upgrade: the users, and secrets
# where there are none. Nothing is started that did not run.
set -eu
umask 077

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers llorch.conf
fi
for user in llorch-gateway llorch-orchestrator llorch-poolmanager; do
	if ! id "$user" >/dev/null 2>&1; then
		useradd --system --user-group --no-create-home --home-dir "/var/lib/$user" --shell /usr/sbin/nologin "$user"
	fi
done
# The pool manager's engines use the GPUs.
for group in render video; do
	if grep -q "^$group:" /etc/group; then
		usermod --append --groups "$group" llorch-poolmanager
	fi
done

# secret NAME: another one on each machine. same FROM NAME: of the two backends, which reach
# each other directly as long as they are on one machine.
secret() {
	[ -e "/etc/llorch/credentials/$1" ] && return
	head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"/etc/llorch/credentials/$1.next"
	mv "/etc/llorch/credentials/$1.next" "/etc/llorch/credentials/$1"
}
same() {
	[ -e "/etc/llorch/credentials/$2" ] && return
	cp "/etc/llorch/credentials/$1" "/etc/llorch/credentials/$2.next"
	mv "/etc/llorch/credentials/$2.next" "/etc/llorch/credentials/$2"
}
install -d -m 0700 /etc/llorch/credentials
secret api_token
secret upstream_token
secret orchestrator_api_token
secret poolmanager_api_token
same orchestrator_api_token orchestrator_token
same poolmanager_api_token dispatch_token

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	# Those that run continue with the new programs; a gateway last, so that its
	# backends are there.
	for unit in orchestratord poolmanagerd llorch-gateway; do
		systemctl try-restart "$unit.service" || echo "llorch: $unit did not start again; see: systemctl status $unit" >&2
	done
fi
