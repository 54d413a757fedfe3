package integration_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// credential is what could be one: our tokens are at least 32 characters long.
var credential = regexp.MustCompile(`[A-Za-z0-9._~+-]{32,}`)

// noSecretLeaves looks where a secret could have gone: the engine's
// environment and arguments, our own arguments, the output, the data directory.
func noSecretLeaves(t *testing.T, u *gatewaytest.Up) {
	if args := strings.Join(words(t, u.PID(), "cmdline"), " "); strings.Contains(args, ownerToken) {
		t.Errorf("the token is in the arguments: %s", args)
	}
	engines := descendants(t, u.PID())
	if len(engines) == 0 {
		t.Fatal("no engine process")
	}
	for _, pid := range engines {
		given := append(words(t, pid, "environ"), words(t, pid, "cmdline")...)
		for _, word := range given {
			for _, forbidden := range []string{ownerToken, "_TOKEN", "LLORCH_API", "LLORCH_UPSTREAM", "LLORCH_NODE", "ORCHD_", "ORCHESTRATORD_", "POOL_MANAGER"} {
				if strings.Contains(word, forbidden) {
					t.Errorf("the engine was given %q", word)
				}
			}
		}
		opensNothing(t, u, credential.FindAllString(strings.Join(given, "\n"), -1))
	}
	if strings.Contains(u.Output(), ownerToken) {
		t.Error("the token is in the output")
	}
	filesHoldNot(t, u.Dir, ownerToken)
}

// opensNothing tries words as tokens, at the gateway and behind it.
func opensNothing(t *testing.T, u *gatewaytest.Up, candidates []string) {
	t.Helper()
	for _, address := range listeners(t, u.PID()) {
		at := gatewaytest.Client{Base: "http://" + address.String()}
		for _, token := range candidates {
			for _, path := range []string{"/v2/nodes", "/pools"} {
				res, err := at.As(token).Do("GET", path, "")
				if err != nil {
					t.Fatal(err)
				}
				if res.Status != http.StatusUnauthorized && res.Status != http.StatusTooManyRequests {
					t.Errorf("something the engine was given opens %s at %s: %d", path, address, res.Status)
				}
			}
		}
	}
}

// filesHoldNot searches every file below a folder.
func filesHoldNot(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(content), secret) {
			t.Errorf("%s holds the token", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if files == 0 {
		t.Errorf("no file in %s to look at", dir)
	}
}
