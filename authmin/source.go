package authmin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrTokenSource is wrapped by every error of reading a token from its source.
var ErrTokenSource = errors.New("reading token")

// SecretFromEnv reads a token from the variable NAME, or from the file that
// NAME_FILE names. With neither set it returns the zero Secret and no error.
// Both at once, an empty value and a weak token are errors, which name the source
// and the remedy and never the value.
func SecretFromEnv(getenv func(string) (string, bool), name string) (Secret, error) {
	value, inline := getenv(name)
	path, inFile := getenv(name + "_FILE")
	switch {
	case inline && inFile:
		return Secret{}, fmt.Errorf("%w: %s and %s_FILE are both set; unset one of them", ErrTokenSource, name, name)
	case inline:
		return checked(NewSecret(value), name)
	case inFile:
		s, err := SecretFromFile(path)
		if err != nil {
			return Secret{}, fmt.Errorf("%s_FILE: %w", name, err)
		}
		return s, nil
	}
	return Secret{}, nil
}

// SecretFromFile reads a token from a regular file: its content without one
// trailing line end. A FIFO, a device, a directory, a link loop and a file of
// more than [MaxTokenLength] bytes are refused without hanging.
func SecretFromFile(path string) (Secret, error) {
	if !filepath.IsAbs(path) {
		// Not repeated: it may be the token in place of a path.
		return Secret{}, fmt.Errorf("%w: the path is not absolute", ErrTokenSource)
	}
	content, err := readBounded(path, MaxTokenLength+2, secretForbidden) // 2: "\r\n"
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %w", ErrTokenSource, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if strings.HasPrefix(text, "\ufeff") {
		return Secret{}, fmt.Errorf("%w: %s begins with a byte order mark; save it as plain UTF-8", ErrTokenSource, path)
	}
	return checked(NewSecret(text), path)
}

// checked applies [CheckStrength] and names the source.
func checked(s Secret, source string) (Secret, error) {
	if strings.TrimSpace(s.Reveal()) == "" {
		s = Secret{}
	}
	if err := CheckStrength(s); err != nil {
		return Secret{}, fmt.Errorf("%w from %s: %w", ErrTokenSource, source, err)
	}
	return s, nil
}

// secretForbidden are the mode bits that a file with a token must not have: other
// users could write it. Read permission is not checked, since container platforms
// mount secrets world-readable into private directories.
const secretForbidden os.FileMode = 0o022

// readBounded reads a regular file of at most limit bytes that has none of the
// forbidden mode bits and passes the checks. It opens without blocking, so that a
// FIFO without a writer cannot hang the caller, and checks the open file, so that a
// file swapped in between is not read.
func readBounded(path string, limit int64, forbidden os.FileMode, checks ...func(path string, info os.FileInfo) error) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("%s is open to others (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	for _, check := range checks {
		if err := check(path, info); err != nil {
			return nil, err
		}
	}
	if info.Size() > limit { // not read first: that would take twice the limit in memory
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1)) // it may grow
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return content, nil
}
