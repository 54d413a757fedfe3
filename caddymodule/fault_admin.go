package caddymodule

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
)

func init() {
	faultChecks = append(faultChecks, exposedAdmin)
}

const adminFix = "write `admin unix//run/llorch/admin.sock|0600`, or `admin off`, into the global options"

// exposedAdmin checks the listener of the admin endpoint: a client that reaches it can
// load a configuration without a guard.
func exposedAdmin(in *inspection) (faults []Fault) {
	admin := in.Caddy.Admin
	level := in.severityAnywhere()
	if admin != nil && admin.Remote != nil {
		if len(admin.Remote.AccessControl) == 0 {
			faults = append(faults, faultf(level, "", "the admin endpoint is served to other machines (remote administration) without access_control; remove it, or configure access_control"))
		} else {
			faults = append(faults, faultf(warning, "", "the admin endpoint is served to other machines (remote administration); remove it unless you need it"))
		}
	}
	if admin != nil && admin.Disabled {
		return faults
	}
	listen, why := caddy.DefaultAdminListen, ", since no `admin` line says otherwise"
	if admin != nil && admin.Listen != "" {
		listen, why = admin.Listen, ""
	}
	if listen = adminAddress(listen); isAdminOnTCP(listen) {
		return append(faults, faultf(warning, "", "the admin endpoint is on TCP, at %s%s: every user and every program of this machine can remove the guard; %s", listen, why, adminFix))
	}
	if path, mode, ok := strings.Cut(listen, "|"); ok && strings.HasPrefix(path, "unix/") {
		if bits, err := strconv.ParseUint(mode, 8, 32); err == nil && os.FileMode(bits)&otherWrite != 0 {
			return append(faults, faultf(lintError, "", "the admin endpoint %s can be used by every user of this machine (mode %s): each can remove the guard; %s", path, mode, adminFix))
		}
	}
	if err := checkAdminListen(listen); err != nil {
		faults = append(faults, faultf(level, "", "%v", err))
	}
	return faults
}

// adminAddress replaces the placeholders in the admin address, as Caddy does.
func adminAddress(listen string) string {
	return caddy.NewReplacer().ReplaceAll(listen, "")
}

func isAdminOnTCP(listen string) bool {
	parsed, err := caddy.ParseNetworkAddress(listen)
	return err == nil && IsLoopback(parsed) && !parsed.IsUnixNetwork()
}

// checkAdminListen applies the bind policy to the admin endpoint.
func checkAdminListen(listen string) error {
	parsed, err := caddy.ParseNetworkAddress(listen)
	if err != nil {
		return fmt.Errorf("the admin endpoint %s is not an address: %w", authmin.CleanField(listen, authmin.MaxLoggedHost), err)
	}
	if !IsLoopback(parsed) {
		return fmt.Errorf("the admin endpoint %s can be reached from other machines and needs no token: any client could remove the guard; %s", listen, adminFix)
	}
	return nil
}

// adminRefusal returns why the bind policy refuses the admin endpoint; nil if it does
// not, or if no guard depends on it.
func adminRefusal(c *Config) error {
	return refusalOf(exposedAdmin(inspect(c)))
}
