package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/spf13/cobra"
)

// lockTimeout is how long a command waits for another command that edits the same file.
// An edit takes milliseconds, and seconds on a slow disk with a million tokens.
const lockTimeout = 10 * time.Second

// keyringFlags name the keyring file that a command edits, and the gateway that has to
// load the change.
type keyringFlags struct {
	file, config, admin string
	creates             bool            // create the file when it does not exist
	format2             bool            // the file needs format 2
	wants               []authmin.Scope // of a new token, which some rule should name
}

func (k *keyringFlags) add(cmd *cobra.Command) {
	k.addFile(cmd)
	cmd.Flags().StringVar(&k.admin, "admin", "", "The gateway's admin socket, as unix//run/llorch/admin.sock (default: the configuration's, else that one)")
}

func (k *keyringFlags) addFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.file, "file", "", "The keyring file")
	cmd.Flags().StringVar(&k.config, "config", "", "A Caddyfile with one token_file")
}

// resolve finds the path of the keyring file.
func (k *keyringFlags) resolve() (path string, s *settings, err error) {
	if k.config != "" {
		if s, err = readSettings(k.config); err != nil {
			return "", nil, err
		}
	}
	switch {
	case k.file != "":
		path, err = filepath.Abs(k.file)
		return path, s, err
	case s == nil:
		return "", nil, errors.New("which keyring file? name it with --file PATH, or the Caddyfile that has it as token_file with --config CADDYFILE")
	case len(s.App.TokenFiles) == 0:
		return "", nil, fmt.Errorf("%s has no token_file; write `token_file /etc/llorch/tokens` into its global authmin block, or name the file with --file", k.config)
	case len(s.App.TokenFiles) > 1:
		return "", nil, fmt.Errorf("%s has %d token_files; say with --file which one", k.config, len(s.App.TokenFiles))
	}
	return s.App.TokenFiles[0], s, nil
}

// edit changes the file, prints a new token's secret, and waits until the running
// gateway has the change.
func (k *keyringFlags) edit(cmd *cobra.Command, name string, secret authmin.Secret, change func([]authmin.Token) ([]authmin.Token, error)) error {
	path, s, err := k.resolve()
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	warnOfUnusedScopes(stderr, s, k.wants)
	if err := k.mustExist(path, stderr); err != nil {
		return err
	}
	if k.format2 {
		if err := k.readsFormat2(s, name); err != nil {
			return err
		}
	}
	ctx, cancel := withLockTimeout(cmd.Context())
	defer cancel()
	var after []authmin.Token
	err = authmin.EditKeyringFile(ctx, path, func(tokens []authmin.Token) ([]authmin.Token, error) {
		changed, err := change(tokens)
		after = changed
		return changed, err
	})
	if err != nil {
		return err
	}
	if !secret.IsZero() {
		_, _ = fmt.Fprintf(stderr, "token %s (fp6 %s) is in %s; the next line is the token, and is shown only now\n", name, secret.Fingerprint(), path)
		if _, err := io.WriteString(cmd.OutOrStdout(), secret.Reveal()+"\n"); err != nil {
			return fmt.Errorf("printing the token: %w; the token is lost: revoke %s and make another", err, secret.Fingerprint())
		}
	}
	return k.confirm(cmd, s, path, name, after)
}

// mustExist refuses to rotate or revoke in a file that does not exist, and to create a
// file in a directory that does not exist.
func (k *keyringFlags) mustExist(path string, stderr io.Writer) error {
	_, err := os.Lstat(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil // other errors are reported when the file is read
	}
	if !k.creates {
		return fmt.Errorf("%s does not exist; make it with `authmin token new`", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("the directory of %s does not exist; make it with: install -d -m 0750 %s", path, filepath.Dir(path))
	}
	_, _ = fmt.Fprintf(stderr, "creating %s, readable only by this user; for a gateway of another user run chown\n", path)
	return nil
}

// withLockTimeout limits the wait for another edit.
func withLockTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx == nil { // cobra has none when Caddy starts it
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, lockTimeout)
}
