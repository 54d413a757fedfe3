package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// Mode bits that open a file to other users than its owner.
const (
	groupWrite  os.FileMode = 0o020
	othersRead  os.FileMode = 0o004
	othersWrite os.FileMode = 0o002
	anyoneWrite             = groupWrite | othersWrite
)

// credentialsDirectory is the variable in which systemd says where credentials are.
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

// namedSource is a source of a secret in the configuration, with what it is for.
type namedSource struct {
	what, source string
	upstream     bool // the gateway's own credential, which several guards may send
}

func (d *doctor) sources() []namedSource {
	var list []namedSource
	for _, token := range d.settings.App.Tokens {
		list = append(list, namedSource{what: "token " + token.Name, source: token.Source})
	}
	guards, _ := guardsOf(d.settings)
	for _, g := range guards {
		if g.UpstreamToken != "" {
			list = append(list, namedSource{"upstream_token of guard " + g.Name, g.UpstreamToken, true})
		}
	}
	return list
}

// examineSecrets reads each secret and checks its strength.
func (d *doctor) examineSecrets() {
	var known []authmin.Secret
	var earlier []namedSource
	for _, s := range d.sources() {
		kind, name, err := caddymodule.SplitSource(s.source)
		if err != nil {
			d.problem(fmt.Sprintf("%s: %v", s.what, err), "write {env.NAME}, {file./absolute/path} or credential:NAME")
			continue
		}
		if _, set := d.getenv(name); kind == "env" && !set {
			d.note(fmt.Sprintf("%s: %s is not set here, so it was not checked", s.what, name), "run this command with the gateway's environment")
			continue
		}
		if kind == "credential" && !d.hasCredentials() {
			d.note(fmt.Sprintf("%s: systemd's credentials are not in this environment (CREDENTIALS_DIRECTORY), so it was not checked", s.what),
				"run it as root after export CREDENTIALS_DIRECTORY=/etc/llorch/credentials, or where the unit's LoadCredential takes "+name+" from")
			continue
		}
		secret, err := caddymodule.ReadSource(s.source)
		if err != nil {
			d.problem(fmt.Sprintf("%s: %v", s.what, err), "make one with `openssl rand -hex 32`, in a file that only the gateway's user can read")
			continue
		}
		for i := range known {
			if known[i].Equal(secret) && !(earlier[i].upstream && s.upstream) {
				d.problem(fmt.Sprintf("%s and %s are the same token", earlier[i].what, s.what), "give each one of its own: openssl rand -hex 32")
			}
		}
		known, earlier = append(known, secret), append(earlier, s)
		d.ok("%s is strong enough", s.what)
	}
	if !d.settings.App.Configured() {
		d.examineAmbientToken()
	}
}

// hasCredentials reports whether this process has credentials of systemd, as the gateway's
// unit has. A shell has none, whether or not the gateway does.
func (d *doctor) hasCredentials() bool {
	dir, set := d.getenv(credentialsDirectory)
	return set && filepath.IsAbs(dir)
}

// examineAmbientToken checks the token of the environment.
func (d *doctor) examineAmbientToken() {
	secret, err := caddymodule.EnvironmentToken()
	switch {
	case err != nil:
		d.problem(err.Error(), "set LLORCH_API_TOKEN alone, to what `openssl rand -hex 32` prints")
	case secret.IsZero():
		d.note("no token is in this environment (LLORCH_API_TOKEN)", "run this command with the gateway's environment")
	default:
		d.ok("the token of the environment is strong enough")
	}
}

// tokenIsConfigured reports whether the gateway will have a token. A token that is missing
// in this environment may be in the gateway's.
func (d *doctor) tokenIsConfigured() bool {
	app := &d.settings.App
	if !app.Configured() {
		secret, err := caddymodule.EnvironmentToken()
		return err != nil || !secret.IsZero()
	}
	return len(app.Tokens) > 0 || len(app.TokenFiles) > 0
}

// examineFiles checks which users can read or change the files of the configuration.
func (d *doctor) examineFiles() {
	d.examineFile(d.settings.file, "the configuration", anyoneWrite)
	for _, path := range d.settings.imported() {
		d.examineFile(path, "the imported configuration", anyoneWrite)
	}
	for _, s := range d.sources() {
		kind, path, err := caddymodule.SplitSource(s.source)
		if err == nil && (kind == "credential" || authmin.IsCredential(d.getenv, path)) {
			d.note(fmt.Sprintf("%s is a credential of systemd (%s): it is copied when the service starts, and a reload does not take up a changed one", s.what, path), "after a change: systemctl restart llorch-gateway")
		}
		if err == nil && kind == "file" {
			d.examineMount(path)
			forbidden := anyoneWrite | othersRead
			if caddymodule.InPrivateTree(path) {
				forbidden = anyoneWrite
			}
			d.examineFile(path, s.what, forbidden)
		}
	}
	for _, path := range d.settings.App.TokenFiles {
		d.examineMount(path)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			d.problem(fmt.Sprintf("the keyring: %s does not exist", path), "make its first token: authmin token new NAME SCOPE... --file "+path+"; or correct the path")
			continue
		}
		if !d.examineFile(path, "the keyring", anyoneWrite|othersRead) {
			continue
		}
		tokens, err := authmin.ReadKeyringFile(path)
		if err == nil {
			_, err = authmin.NewKeyring(tokens)
		}
		if errors.Is(err, authmin.ErrForeignOwner) {
			d.problem(err.Error(), "chown root "+path+"; or run this command as the gateway's user, if that is its owner")
			continue
		}
		if err != nil {
			d.problem(err.Error(), "restore it from a backup, or make it anew with `authmin token new`")
			continue
		}
		d.ok("the keyring %s is valid: %d tokens", path, len(tokens))
	}
}

// examineFile checks one file and the directories above it.
func (d *doctor) examineFile(path, what string, forbidden os.FileMode) bool {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.problem(fmt.Sprintf("%s: %s does not exist", what, path), "make it, or correct the path")
		return false
	case err != nil:
		d.note(fmt.Sprintf("%s: %v", what, err), "run this command as the gateway's user")
		return false
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		d.problem(fmt.Sprintf("%s: %s is open to others (mode %04o)", what, path, mode),
			fmt.Sprintf("chmod %04o %s", mode&^forbidden, path))
		return false
	}
	return d.examineTree(path, what)
}

// examineTree looks for a directory above a path that other users can write to: they
// could replace the file. A sticky directory prevents that.
func (d *doctor) examineTree(path, what string) bool {
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			d.problem(fmt.Sprintf("%s: the directory of %s does not exist", what, path), "install -d -m 0750 "+filepath.Dir(path))
		}
		return false
	}
	dir, err := filepath.Abs(real)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(dir)
		if err == nil && info.Mode()&os.ModeSticky == 0 && info.Mode().Perm()&othersWrite != 0 {
			d.problem(fmt.Sprintf("%s: every user can replace files in %s (mode %04o)", what, dir, info.Mode().Perm()), "chmod o-w "+dir)
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// examineMount checks whether the gateway would see the replacement of a file.
func (d *doctor) examineMount(path string) {
	const fix = "mount the directory in place of the file, and restart what has the file mounted"
	if err := authmin.DetachedError(path, authmin.FileStateOf(path)); err != nil {
		d.problem(err.Error(), fix)
	}
	for _, process := range staleMounts(d.proc, path) {
		d.problem(fmt.Sprintf("%s has been replaced, and %s still has the old one, as a single file mounted by itself", path, process), fix)
	}
}
