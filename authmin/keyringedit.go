package authmin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// lockPoll is how often a waiting edit tries the lock: a person does not notice the
// delay, and it costs next to nothing.
const lockPoll = 20 * time.Millisecond

// EditKeyringFile changes a keyring file in place: it reads the tokens, hands
// them to edit, checks what comes back as a gateway would, and renames the new
// file over the old one. An edit changes tokens and appends new ones; it neither
// removes nor reorders any. A file that does not exist is an empty keyring, and is
// made readable by its owner only; one that does keeps its mode, its owner, its
// comments and the lines of the tokens that did not change. A symbolic link
// stays one.
//
// Two edits of one file wait for each other, as long as ctx lasts, by a lock on
// a file beside it (`.NAME.lock`), so that none is lost.
func EditKeyringFile(ctx context.Context, path string, edit func([]Token) ([]Token, error)) error {
	path, err := throughLinks(path)
	if err != nil {
		return fmt.Errorf("editing keyring: %w", err)
	}
	unlock, err := lockBeside(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := readBounded(path, maxKeyringSize, keyringForbidden)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = FormatKeyring(nil), nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyringFile, err)
	}
	content, err := editKeyring(old, edit)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceKeyring(path, content)
}

// editKeyring is the edit of one file's content.
func editKeyring(old []byte, edit func([]Token) ([]Token, error)) ([]byte, error) {
	before, err := ParseKeyring(old)
	if err != nil {
		return nil, err
	}
	after, err := edit(slices.Clone(before))
	if err != nil {
		return nil, err
	}
	if len(after) < len(before) {
		return nil, errors.New("editing keyring: the edit removes a token; revoke it instead")
	}
	content := mergeKeyring(old, before, after)
	parsed, err := ParseKeyring(content)
	if err != nil {
		return nil, fmt.Errorf("checking the new keyring: %w", err)
	}
	if _, err := NewKeyring(parsed); err != nil {
		return nil, fmt.Errorf("checking the new keyring: %w", err)
	}
	return content, nil
}

// mergeKeyring writes the tokens of after into the lines of old, which hold the
// tokens of before. Comments stay where they are, a token keeps its line, and new
// ones come last. The line of the format comes first if the file has it or needs it.
func mergeKeyring(old []byte, before, after []Token) []byte {
	var out []byte
	if hasFormat2(old) || slices.ContainsFunc(after, needsFormat2) {
		out = append(out, formatLine2...)
	}
	at := 0
	for line := range bytes.Lines(old) {
		_, isFormat := keyringFormat(string(bytes.TrimRight(line, "\r\n")))
		switch {
		case isFormat, bytes.HasPrefix(line, []byte("# end ")):
		case line[0] == '#' || len(bytes.TrimSpace(line)) == 0:
			out = append(out, line...)
		case sameToken(&before[at], &after[at]):
			out = append(out, line...)
			at++
		default:
			out = appendKeyringLine(out, &after[at])
			at++
		}
	}
	for i := range after[at:] {
		out = appendKeyringLine(out, &after[at+i])
	}
	return fmt.Appendf(out, "# end %d\n", len(after))
}

func sameToken(a, b *Token) bool {
	return a.Name == b.Name && slices.Equal(a.Scopes, b.Scopes) && a.Created == b.Created &&
		a.NotBefore == b.NotBefore && a.Expires == b.Expires && a.Revoked == b.Revoked && a.Models.String() == b.Models.String() &&
		slices.Equal(a.Budgets, b.Budgets)
}

// throughLinks resolves links, so that a rename replaces the file and not the link.
// A path that does not exist is returned as it is.
func throughLinks(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 { // a regular file was created by another edit in the meantime
			return "", fmt.Errorf("%s is a link to a file that does not exist", path)
		}
		return filepath.Abs(path)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// lockBeside takes the editors' lock of a file. The lock is on a separate file,
// since a rename would replace a locked file, and that file is never removed:
// otherwise two editors could hold two locks.
func lockBeside(ctx context.Context, path string) (unlock func(), err error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking keyring: %w", err)
	}
	if dir, err := os.Stat(filepath.Dir(name)); err == nil && os.Geteuid() == 0 {
		if owner, ok := dir.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(owner.Uid), int(owner.Gid)) // otherwise only root could edit the keyring after this
		}
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("locking keyring: %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("locking keyring: another program holds the lock %s; try again later", name)
		case <-ticker.C:
		}
	}
}
