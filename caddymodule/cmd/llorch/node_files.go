package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"go.yaml.in/yaml/v3"
)

// The users of the units in deploy/systemd, to whom files are given where they exist.
const (
	gatewayUser     = "llorch-gateway"
	poolManagerUser = "llorch-poolmanager"
	rootUser        = "root" // systemd copies credentials
)

// The names of the files below the directory.
const (
	dispatchTokenFile = "credentials/dispatch_token"
	keyringFile       = "tokens"
	caFile            = "orchestrator_ca.pem"
)

// nodeFile is one file that the node needs.
type nodeFile struct {
	name, path, owner string
	text              []byte // what is written
	secret            bool   // text is not shown
	// fits says why the file that is there is not the wanted one.
	fits func(path string) error
	kept bool
}

// plan looks at what is there, and refuses all together if one file does not fit.
func (j *joining) plan() error {
	if err := j.planTokens(); err != nil {
		return err
	}
	config := j.poolManagerConfig()
	policy := j.caddyfile()
	j.add(nodeFile{name: "Caddyfile", owner: gatewayUser, text: []byte(policy), fits: sameText(policy)})
	j.add(nodeFile{name: "poolmanagerd.yaml", owner: poolManagerUser, text: config, fits: sameSettings(config)})
	if j.ca != "" {
		j.add(nodeFile{name: caFile, owner: poolManagerUser, text: j.caText, fits: sameText(string(j.caText))})
	}
	var wrong []error
	for _, f := range j.files {
		switch err := f.look(); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s is there and is not changed: %w", f.path, err))
		default:
			f.kept = true
		}
	}
	if len(wrong) > 0 {
		wrong = append(wrong, errors.New("move it away, or choose another directory with --dir; --dry-run with an empty directory prints what is wanted"))
		return errors.Join(wrong...)
	}
	return nil
}

func (j *joining) add(f nodeFile) {
	f.path = filepath.Join(j.dir, f.name)
	j.files = append(j.files, &f)
}

// planTokens has the files of secrets. The dispatch token that is there stays, and the
// keyring must hold its hash.
func (j *joining) planTokens() error {
	path := filepath.Join(j.dir, dispatchTokenFile)
	dispatch, err := authmin.SecretFromFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dispatch = authmin.RandomSecret()
		if _, err := os.Lstat(filepath.Join(j.dir, keyringFile)); err == nil {
			return fmt.Errorf("%s is there, and the token that the orchestrator must send is not; make it with: (umask 077; llorch authmin token new orchestrator dispatch --file %s >%s)",
				filepath.Join(j.dir, keyringFile), filepath.Join(j.dir, keyringFile), path)
		}
	case err != nil:
		return err
	}
	j.dispatch = dispatch
	token := authmin.NewToken("orchestrator", dispatch, authmin.ScopeDispatch)
	token.Created = time.Now().Unix()
	j.addSecret(dispatchTokenFile, dispatch, isSecret)
	j.addSecret("credentials/orchestrator_token", j.token, func(path string) error {
		if there, err := authmin.SecretFromFile(path); err != nil || !there.Equal(j.token) {
			return errors.Join(err, errors.New("it holds another token than --token-file"))
		}
		return nil
	})
	for _, name := range []string{"credentials/upstream_token", "credentials/poolmanager_api_token", "credentials/api_token"} {
		j.addSecret(name, authmin.RandomSecret(), isSecret)
	}
	j.add(nodeFile{name: keyringFile, owner: gatewayUser, text: authmin.FormatKeyring([]authmin.Token{token}), secret: true, fits: func(path string) error {
		return holdsDispatch(path, dispatch)
	}})
	return nil
}

func (j *joining) addSecret(name string, s authmin.Secret, fits func(string) error) {
	j.add(nodeFile{name: name, owner: rootUser, text: []byte(s.Reveal() + "\n"), secret: true, fits: fits})
}

func isSecret(path string) error {
	_, err := authmin.SecretFromFile(path)
	return err
}

// holdsDispatch looks that the keyring lets the orchestrator in.
func holdsDispatch(path string, dispatch authmin.Secret) error {
	tokens, err := authmin.ReadKeyringFile(path)
	if err != nil {
		return err
	}
	keyring, err := authmin.NewKeyring(tokens)
	if err != nil {
		return err
	}
	token, verdict := keyring.Lookup(authmin.NewToken("orchestrator", dispatch, authmin.ScopeDispatch).Digest(), time.Now())
	if verdict != authmin.VerdictValid || !slices.Contains(token.Scopes, authmin.ScopeDispatch) {
		return fmt.Errorf("it has no valid token of scope dispatch that is the one of %s", dispatchTokenFile)
	}
	return nil
}

// sameSettings compares the keys that a join sets; an operator adds others.
func sameSettings(wanted []byte) func(string) error {
	return func(path string) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var there, want map[string]any
		if err := errors.Join(yaml.Unmarshal(content, &there), yaml.Unmarshal(wanted, &want)); err != nil {
			return err
		}
		for _, key := range []string{"listen", "node_id", "address", "orchestrator_url", "orchestrator_ca"} {
			if there[key] != want[key] {
				return fmt.Errorf("its %s is not %v", key, want[key])
			}
		}
		return nil
	}
}

// look reads what is there. A file of a secret must be closed to others.
func (f *nodeFile) look() error {
	info, err := os.Lstat(f.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if f.secret && info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("others can read it; run: chmod 600 %s", f.path)
	}
	return f.fits(f.path)
}

// sameText compares the whole file, which holds no secret.
func sameText(wanted string) func(string) error {
	return func(path string) error {
		there, err := os.ReadFile(path)
		if err == nil && string(there) != wanted {
			err = errors.New("it differs from what is wanted")
		}
		return err
	}
}

// create writes a file that is not there, readable by its owner only.
func (f *nodeFile) create() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(f.text)
	if err = errors.Join(err, f.give(file), file.Sync(), file.Close()); err != nil {
		_ = os.Remove(f.path)
	}
	return err
}

// give gives the file to the user of its service, if root writes it and there is one.
func (f *nodeFile) give(file *os.File) error {
	if os.Geteuid() != 0 || f.owner == rootUser {
		return nil
	}
	owner, err := user.Lookup(f.owner)
	if err != nil {
		return nil // not installed as a unit: root runs it
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return fmt.Errorf("user %s: %w", f.owner, err)
	}
	return file.Chown(uid, -1)
}
