package presets_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A unit holds the values of each directive of a unit file, in order.
type unit map[string][]string

func parseUnit(text string) unit {
	u := unit{}
	for text := range strings.Lines(text) {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "#") || strings.HasPrefix(text, "[") {
			continue
		}
		if key, value, ok := strings.Cut(text, "="); ok {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// hardened is what every unit says, once and with this value. A unit runs
// without root and without a way to it, writes only its own directories, and
// leaves no copy of its memory.
var hardened = map[string]string{
	"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "ProtectProc": "invisible",
	"ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes", "ProtectKernelLogs": "yes",
	"ProtectKernelModules": "yes", "ProtectKernelTunables": "yes", "LockPersonality": "yes",
	"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK", "RestrictNamespaces": "yes", "RestrictRealtime": "yes",
	"RestrictSUIDSGID": "yes", "SystemCallArchitectures": "native", "SystemCallFilter": "@system-service",
	"UMask": "0077", "LimitCORE": "0", "RuntimeDirectoryMode": "0700", "StateDirectoryMode": "0700",
	"Restart": "on-failure",
}

// units are what each unit says besides.
var units = map[string]map[string]string{
	"llorch-gateway": {
		"Type": "notify", "User": "llorch-gateway", "RuntimeDirectory": "llorch", "LogsDirectoryMode": "0700",
		"PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes",
		"CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "AmbientCapabilities": "CAP_NET_BIND_SERVICE",
	},
	"orchestratord": {
		"User": "llorch-orchestrator", "RuntimeDirectory": "llorch-orchestrator",
		"PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "CapabilityBoundingSet": "",
	},
	"poolmanagerd": {
		"User": "llorch-poolmanager", "RuntimeDirectory": "llorch-poolmanager", "RuntimeDirectoryPreserve": "restart",
		"KillMode": "mixed", "CapabilityBoundingSet": "",
	},
}

func readUnits(t *testing.T) map[string]unit {
	t.Helper()
	files, err := filepath.Glob(inRoot(t, "deploy/systemd/*.service"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]unit{}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".service")] = parseUnit(read(t, file))
	}
	got, want := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(units))
	if !slices.Equal(got, want) {
		t.Fatalf("units %q, want %q", got, want)
	}
	return all
}

func TestUnitsAreHardened(t *testing.T) {
	for name, u := range readUnits(t) {
		for _, wanted := range []map[string]string{hardened, units[name]} {
			for key, want := range wanted {
				if got := u[key]; len(got) != 1 || got[0] != want {
					t.Errorf("%s.service: %s=%q, want %q once", name, key, got, want)
				}
			}
		}
	}
}

var (
	fromCredential = regexp.MustCompile(`^([A-Z_]+)_FILE=%d/([a-z_]+)$`)
	secretName     = regexp.MustCompile(`TOKEN|SECRET|KEY|PASSWORD`)
)

// TestUnitsHoldNoSecret: every secret is a credential, read from a file of its
// own by a variable that the program has; none stands in a unit, an argument or
// the environment, and nothing loads an environment file.
func TestUnitsHoldNoSecret(t *testing.T) {
	sources := map[string]string{
		"llorch-gateway": "caddymodule/app_env.go",
		"orchestratord":  "orchestrator/cmd/orchestratord/settings.go",
		"poolmanagerd":   "poolmanager/cmd/poolmanagerd/settings.go",
	}
	for name, u := range readUnits(t) {
		loaded := map[string]bool{}
		for _, credential := range u["LoadCredential"] {
			id, path, _ := strings.Cut(credential, ":")
			loaded[id] = true
			if !strings.HasPrefix(path, "/etc/llorch/credentials/") {
				t.Errorf("%s.service: credential %s comes from %q", name, id, path)
			}
		}
		if len(loaded) < 2 { // the gateway's and a caller's own; auth-min keeps them apart
			t.Errorf("%s.service loads %d credentials, want 2 or more", name, len(loaded))
		}
		source := read(t, inRoot(t, sources[name]))
		for _, assignment := range strings.Fields(strings.Join(u["Environment"], " ")) {
			match := fromCredential.FindStringSubmatch(assignment)
			switch {
			case match == nil && secretName.MatchString(assignment):
				t.Errorf("%s.service: Environment=%s is no file of a credential", name, assignment)
			case match != nil && (!loaded[match[2]] || !readsVariable(source, match[1])):
				t.Errorf("%s.service: Environment=%s names a credential that is not loaded, or a variable that %s does not read", name, assignment, sources[name])
			}
		}
		for _, key := range []string{"EnvironmentFile", "SetCredential", "PassEnvironment"} {
			if u[key] != nil {
				t.Errorf("%s.service has %s", name, key)
			}
		}
		for _, command := range slices.Concat(u["ExecStart"], u["ExecStartPre"], u["ExecReload"]) {
			command = strings.ReplaceAll(command, "$MAINPID", "") // a process id, of systemd's own
			if strings.ContainsAny(command, "$%") || strings.Contains(command, "environ") {
				t.Errorf("%s.service: a command expands or prints variables: %s", name, command)
			}
		}
	}
}

// readsVariable: a program names the variable, or the one that authmin reads with
// and without _FILE.
func readsVariable(source, name string) bool {
	return strings.Contains(source, `"`+name+`"`) || strings.Contains(source, `"`+strings.TrimSuffix(name, "_FILE")+`"`)
}
