package authmin_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

func TestAuthoritiesAreCertificatesOfAuthoritiesAndNothingElse(t *testing.T) {
	one, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	server, key := one.Issue("server", []string{"localhost"})
	read := func(paths ...string) (text string) {
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text += string(content)
		}
		return text
	}
	for name, c := range map[string]struct{ text, want string }{
		"one":             {read(one.File), ""},
		"two":             {"\n" + read(one.File, other.File) + "\n\n", ""},
		"none":            {" \n", "empty"},
		"text":            {"hello", "block 1: not PEM"},
		"text after":      {read(one.File) + "hello", "block 2: not PEM"},
		"a server's":      {read(one.File, server), "block 2 is the certificate of a server"},
		"a key":           {read(one.File, key), "block 2 is a private key"},
		"a broken one":    {"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", "block 1: x509"},
		"another block":   {"-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n", `"X509 CRL", not a CERTIFICATE`},
		"larger than any": {strings.Repeat("\n", 1<<20) + read(one.File), "larger than"},
	} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		pool, err := authmin.AuthoritiesFromFile(path)
		if c.want == "" {
			if err != nil || pool == nil {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if !errors.Is(err, authmin.ErrAuthorities) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q and the path", name, err, c.want)
		}
	}
}

func TestAuthoritiesComeFromAFileThatOthersCannotChange(t *testing.T) {
	dir := t.TempDir()
	pipe, open, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "open"), filepath.Join(dir, "link")
	content, err := os.ReadFile(testkit.NewAuthority(t).File)
	if err := errors.Join(err, syscall.Mkfifo(pipe, 0o600), os.WriteFile(open, content, 0o600), os.Chmod(open, 0o622), os.Symlink(link, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"ca.pem": "absolute", dir: "not a regular file", pipe: "not a regular file", open: "chmod 600", link: "too many levels", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := authmin.AuthoritiesFromFile(path); !errors.Is(err, authmin.ErrAuthorities) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}
