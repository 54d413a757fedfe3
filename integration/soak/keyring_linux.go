package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/llorch/gateway/authmin"
)

// keyring is the file of tokens that all gateways of the fleet read.
type keyring struct {
	path string

	mu    sync.Mutex
	order []string // names, as in the file
	lines map[string]*keyLine
}

// keyLine is one token of the keyring.
type keyLine struct {
	scopes  string
	secret  authmin.Secret
	revoked bool
}

func newKeyring(path string, scopes map[string]string) *keyring {
	k := &keyring{path: path, lines: map[string]*keyLine{}}
	for name, scope := range scopes {
		k.order = append(k.order, name)
		k.lines[name] = &keyLine{scopes: scope, secret: authmin.RandomSecret()}
	}
	slices.Sort(k.order)
	return k
}

// secret is the present token of a name.
func (k *keyring) secret(name string) authmin.Secret {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lines[name].secret
}

// revoke marks a name's token as revoked and writes the file.
func (k *keyring) revoke(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines[name].revoked = true
	return k.write()
}

// renew gives a name another token, and writes the file.
func (k *keyring) renew(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines[name].revoked, k.lines[name].secret = false, authmin.RandomSecret()
	return k.write()
}

// save writes the file as it is.
func (k *keyring) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.write()
}

// write replaces the file by a rename, as an operator's tool does. The caller holds mu.
func (k *keyring) write() error {
	var text strings.Builder
	for _, name := range k.order {
		line := k.lines[name]
		digest := line.secret.Digest()
		fmt.Fprintf(&text, "%s sha256:%x %s", name, digest[:], line.scopes)
		if line.revoked {
			text.WriteString(" state=revoked")
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(&text, "# end %d\n", len(k.order))
	next := filepath.Join(filepath.Dir(k.path), "tokens.next")
	if err := os.WriteFile(next, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	if err := os.Rename(next, k.path); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	return nil
}
