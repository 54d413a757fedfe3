package authmin

import "path/filepath"

// RestartOnly returns the names of sources whose file is a systemd credential.
// systemd copies a credential when the service starts, so a changed one is used
// after a restart.
func RestartOnly(getenv func(string) (string, bool), sources ...*SecretSource) []string {
	var names []string
	for _, s := range sources {
		if s != nil && IsCredential(getenv, s.path) {
			names = append(names, s.name)
		}
	}
	return names
}

// IsCredential reports whether a path is a systemd credential of this service.
func IsCredential(getenv func(string) (string, bool), path string) bool {
	dir, ok := getenv("CREDENTIALS_DIRECTORY")
	return ok && filepath.IsAbs(dir) && path != "" && filepath.Dir(filepath.Clean(path)) == filepath.Clean(dir)
}
