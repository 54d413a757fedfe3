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
	examinations = append(examinations, exposedAdmin)
}

const adminMend = "write `admin unix//run/llorch/admin.sock|0600`, or `admin off`, into the global options"

// exposedAdmin judges the admin endpoint as a listener: who reaches it can load a
// configuration without a guard.
func exposedAdmin(in *inspection) (faults []Fault) {
	admin := in.Caddy.Admin
	severity := in.severityAnywhere()
	if admin != nil && admin.Remote != nil {
		if len(admin.Remote.AccessControl) == 0 {
			faults = append(faults, faultf(severity, "", "the admin endpoint is served to other machines (remote administration) without access_control; remove it, or name who may"))
		} else {
			faults = append(faults, faultf(suspect, "", "the admin endpoint is served to other machines (remote administration); remove it unless you need it"))
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
		return append(faults, faultf(suspect, "", "the admin endpoint is on TCP, at %s%s: every user and every program of this machine can remove the guard; %s", listen, why, adminMend))
	}
	if path, mode, ok := strings.Cut(listen, "|"); ok && strings.HasPrefix(path, "unix/") {
		if bits, err := strconv.ParseUint(mode, 8, 32); err == nil && os.FileMode(bits)&otherWrite != 0 {
			return append(faults, faultf(wrong, "", "the admin endpoint %s can be used by every user of this machine (mode %s): each can remove the guard; %s", path, mode, adminMend))
		}
	}
	if err := checkAdminListen(listen); err != nil {
		faults = append(faults, faultf(severity, "", "%v", err))
	}
	return faults
}

// adminAddress fills in what Caddy fills in.
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
		return fmt.Errorf("the admin endpoint %s can be reached from other machines, and asks for no token: everybody could remove the guard; %s", listen, adminMend)
	}
	return nil
}

// adminRefusal is the bind policy's word on the admin endpoint, nil where no guard
// depends on it.
func adminRefusal(c *Config) error {
	return refusalOf(exposedAdmin(inspect(c)))
}
