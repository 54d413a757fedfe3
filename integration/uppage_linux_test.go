package integration_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// `llorch up --open` opens the page that its first lines name. The page needs the token
// with AUTH_OPTIONAL too, and shows the node; the browser's program gets neither the token
// nor a URL with it.
func TestUpOpensItsPage(t *testing.T) {
	for _, variable := range []string{"LLORCH_API_TOKEN", "AUTH_TOKEN"} {
		t.Run(variable, func(t *testing.T) { opensItsPage(t, variable) })
	}
}

// opensItsPage has the token in a variable, which is not the browser's.
func opensItsPage(t *testing.T, variable string) {
	dir, page := t.TempDir(), testkit.FreeAddress(t)
	opened := filepath.Join(dir, "opened")
	script := "#!/bin/sh\n{ echo \"$@\"; env; } > " + opened + ".new && mv " + opened + ".new " + opened + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	const token = "page-owner-0123456789abcdefghijklmnopqrs"
	env := []string{variable + "=" + token, "AUTH_OPTIONAL=true", "DISPLAY=:0", "PATH=" + dir + ":" + os.Getenv("PATH")}
	u := gatewaytest.StartUp(t, env, "--page", page, "--open")
	url := "http://" + page + "/"
	if !strings.Contains(u.Output(), "The page for people is at "+url) {
		t.Errorf("the page is not named in\n%s", u.Output())
	}
	var text []byte
	testkit.Eventually(t, "the browser", func() bool {
		var err error
		text, err = os.ReadFile(opened)
		return err == nil
	})
	if got := string(text); !strings.HasPrefix(got, url+"\n") || strings.Contains(got, token) {
		t.Errorf("the browser's program was given %q", got)
	}
	for path, want := range map[string]int{"": 200, "page.js": 200, "data/live": 401, "v2/tasks": 401, "metrics": 401} {
		if got := get(t, url+path, "").StatusCode; got != want {
			t.Errorf("%s without a token: status %d, want %d", path, got, want)
		}
	}
	lines := bufio.NewScanner(get(t, url+"data/live", token).Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), `data: {"nodes":[{"node_id":"home"`) {
			return
		}
	}
	t.Errorf("the page does not show the node: %v", lines.Err())
}

// get sends a request with a token, or without; the test's end closes the body.
func get(t *testing.T, url, token string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}
