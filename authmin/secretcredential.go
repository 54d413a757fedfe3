package authmin

import "path/filepath"

// RestartOnly names those of the sources whose file is a credential of systemd.
// systemd copies a credential when the service starts: what is changed where it
// was copied from is in use after a restart.
func RestartOnly(getenv func(string) (string, bool), sources ...*SecretSource) []string {
	var names []string
	for _, s := range sources {
		if s != nil && IsCredential(getenv, s.path) {
			names = append(names, s.name)
		}
	}
	return names
}

// IsCredential reports whether a path is a credential of systemd of this service.
func IsCredential(getenv func(string) (string, bool), path string) bool {
	dir, ok := getenv("CREDENTIALS_DIRECTORY")
	return ok && filepath.IsAbs(dir) && path != "" && filepath.Dir(filepath.Clean(path)) == filepath.Clean(dir)
}
