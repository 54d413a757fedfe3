package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// up follows the file of its clients' token, and a hang-up does not end it.
func TestUpFollowsATokenFileAndIgnoresHUP(t *testing.T) {
	const first, second = "first-0123456789abcdefghijklmnopqrstuvw", "second-0123456789abcdefghijklmnopqrstuv"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	u := gatewaytest.StartUp(t, []string{"LLORCH_API_TOKEN_FILE=" + file})
	for _, pid := range append(descendants(t, u.PID()), u.PID()) {
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	aTaskStreams(t, u.As(first))
	if err := os.WriteFile(file+".new", []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, 10*time.Second, "the new token", func() error {
		answer, err := u.As(second).Do("GET", "/v1/models", "")
		if err == nil && answer.Status != 200 {
			err = fmt.Errorf("status %d", answer.Status)
		}
		return err
	})
	if answer, err := u.As(first).Do("GET", "/v1/models", ""); err != nil || answer.Status != 401 && answer.Status != 429 {
		t.Errorf("the old token: got %d, %v, want 401 or 429", answer.Status, err)
	}
}

// A key that is made while up runs may have a budget, which is counted at once.
func TestUpCountsTheBudgetOfANewKey(t *testing.T) {
	u := gatewaytest.StartUp(t, nil)
	cmd := gatewaytest.Command(t, nil, "authmin", "token", "new", "dave", "infer", "--file", filepath.Join(u.Dir, "tokens"), "--budget", "1requests/month")
	secret, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dave := u.As(strings.TrimSpace(string(secret)))
	testkit.Within(t, 10*time.Second, "the first request", func() error {
		answer, err := dave.Do("GET", "/v1/models", "")
		if err == nil && answer.Status != 200 {
			err = fmt.Errorf("status %d %s", answer.Status, answer.Body)
		}
		return err
	})
	if answer, err := dave.Do("GET", "/v1/models", ""); err != nil || answer.Status != 429 {
		t.Errorf("the second request: got %d, %v, want 429", answer.Status, err)
	}
}
