package poolmanager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// An engine needs a file for each connection and each part of its model.
	minOpenFiles = 64
	maxOpenFiles = 1 << 20 // the kernel's own default of fs.nr_open
	// minAddressSpace is less than any engine maps before it has a model.
	minAddressSpace = 64 << 20
)

// variableName is what POSIX lets a shell name.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// reservedVariables are the beginnings of the names of our own settings: tokens are
// among them, so no engine gets any.
var reservedVariables = []string{"LLORCH_", "POOL_MANAGER", "ORCHESTRATORD_", "ORCHD_", "AUTH_", "TRUST_PROXY_AUTH", "CREDENTIALS_DIRECTORY"}

// checkEnvironment checks the template's variables, directory and limits.
func (t Template) checkEnvironment() error {
	for name := range t.Env {
		if !isForEngines(name) {
			return fmt.Errorf("env: %q may not be set for an engine", name)
		}
	}
	for _, name := range t.PassEnv {
		if !isForEngines(name) {
			return fmt.Errorf("pass_env: %q may not be passed on to an engine", name)
		}
	}
	switch {
	case t.Dir != "" && (!filepath.IsAbs(t.Dir) || filepath.Clean(t.Dir) != t.Dir):
		return errors.New("dir: want an absolute path without .. in it")
	case t.MaxOpenFiles != 0 && (t.MaxOpenFiles < minOpenFiles || t.MaxOpenFiles > maxOpenFiles):
		return fmt.Errorf("max_open_files: want %d to %d, or 0 for ours", minOpenFiles, maxOpenFiles)
	case t.MaxAddressSpaceBytes != 0 && t.MaxAddressSpaceBytes < minAddressSpace:
		return fmt.Errorf("max_address_space_bytes: want at least %d, or 0 for no limit", minAddressSpace)
	case t.URL != "" && (t.Dir != "" || t.MaxOpenFiles != 0 || t.MaxAddressSpaceBytes != 0 || len(t.PassEnv) > 0):
		return errors.New("url: env, pass_env, dir and limits cannot be set for a server that is not managed here")
	}
	return nil
}

func isForEngines(name string) bool {
	return variableName.MatchString(name) && !slices.ContainsFunc(reservedVariables, func(ours string) bool {
		return strings.HasPrefix(strings.ToUpper(name), ours)
	})
}

// workingDirectory is the engine's working directory. A missing one is found here: starting
// a program there says that the program is missing.
func (t Template) workingDirectory(otherwise string) (string, error) {
	if t.Dir == "" {
		return otherwise, nil
	}
	if info, err := os.Stat(t.Dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("the engine's working directory %s does not exist", t.Dir)
	}
	return t.Dir, nil
}
