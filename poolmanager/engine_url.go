package poolmanager

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// routeWords are the words of engines' routes. An address that ends in one is not a
// server's, since the routes would be looked for below it, unless /v1 follows: there
// are servers below /api.
var routeWords = []string{"v1", "v2", "api", "health", "models", "chat", "completions", "completion", "generate", "embeddings", "rerank", "responses", "messages", "tags"}

// checkEngineURL refuses an address at which no engine's routes can be. What clients
// of OpenAI call the base URL, the server's with /v1 behind it, is right as well: see
// engineBase.
func checkEngineURL(text string) error {
	if err := checkServerURL(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("url: want http://127.0.0.1:PORT or https://HOST")
	}
	path := strings.TrimPrefix(engineBase(text), u.Scheme+"://"+u.Host)
	if u.RawPath != "" || strings.Contains(path, "//") || slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return errors.New("url: want a plain path, without // or . or .. or % in it; most engines need no path: http://127.0.0.1:PORT")
	}
	parts := strings.Split(path, "/")
	isRoute := func(part string) bool { return slices.Contains(routeWords, strings.ToLower(part)) }
	last := parts[len(parts)-1]
	if slices.ContainsFunc(parts, isVersion) || isRoute(last) && !strings.HasSuffix(strings.TrimRight(text, "/"), "/v1") {
		server := parts[:slices.IndexFunc(parts, isRoute)]
		return fmt.Errorf("url: its path is a route of the engine; want the server's address alone: %s://%s%s (or with /v1 behind it)", u.Scheme, u.Host, strings.Join(server, "/"))
	}
	return nil
}

// isVersion reports whether a part of a path is where all routes begin.
func isVersion(part string) bool {
	return strings.EqualFold(part, "v1") || strings.EqualFold(part, "v2")
}

// engineBase is the address to which the routes are added: without the /v1 that all
// of them begin with, and without a slash at its end.
func engineBase(text string) string {
	base := strings.TrimRight(text, "/")
	return strings.TrimRight(strings.TrimSuffix(base, "/v1"), "/")
}
