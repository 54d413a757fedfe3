package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// TokenSource is one token of the configuration: its name, its source and its scopes.
type TokenSource struct {
	// Name for the audit trail and the upstreams: [a-z0-9_-]{1,64}.
	Name string `json:"name"`
	// Where the token is: {env.NAME}, {file./absolute/path}, or
	// credential:NAME for a systemd credential.
	Source string `json:"source"`
	// What the token allows.
	Scopes []authmin.Scope `json:"scopes,omitempty"`
	// The models that it may use: names, or patterns with *. Default: every model.
	Models []string `json:"models,omitempty"`
	// What it may use, such as 2Mtokens/day, 300requests/hour or 2Mtokens/day/hard.
	Budgets []authmin.Budget `json:"budgets,omitempty"`
}

// errSource lists the valid forms of a source. It quotes nothing: the invalid text could
// be the token itself.
var errSource = errors.New("want {env.NAME}, {file./absolute/path} or credential:NAME; a token itself, or {$NAME}, would be stored in Caddy's saved configuration")

func (t TokenSource) resolve() (sourcedToken, error) {
	if err := authmin.CheckTokenName(t.Name); err != nil {
		return sourcedToken{}, err
	}
	if len(t.Scopes) == 0 {
		return sourcedToken{}, fmt.Errorf("token %s has no scope, so that it allows nothing; name at least one", t.Name)
	}
	if err := checkScopes(t.Scopes); err != nil {
		return sourcedToken{}, fmt.Errorf("token %s: %w", t.Name, err)
	}
	source, err := openSource(sourceToken, "token "+t.Name, t.Source)
	if err != nil {
		return sourcedToken{}, fmt.Errorf("token %s: %w", t.Name, err)
	}
	models, err := t.ModelList()
	if err != nil {
		return sourcedToken{}, err
	}
	if err := authmin.CheckBudgets(t.Budgets); err != nil {
		return sourcedToken{}, fmt.Errorf("token %s: budget: %w", t.Name, err)
	}
	return sourcedToken{name: t.Name, scopes: t.Scopes, models: models, budgets: t.Budgets, source: source}, nil
}

// ModelList returns the list of models; nil for every model. An empty list is refused: it
// is not every model.
func (t TokenSource) ModelList() (*authmin.Models, error) {
	if t.Models == nil {
		return nil, nil
	}
	models, err := parseModelList(t.Models)
	if err != nil {
		return nil, fmt.Errorf("token %s: %w", t.Name, err)
	}
	return models, nil
}

// checkScopes checks scopes from a JSON configuration: an upstream would read a scope with
// a comma as two.
func checkScopes(scopes []authmin.Scope) error {
	parsed, err := authmin.ParseScopes(authmin.JoinScopes(scopes, ","))
	if err == nil && !slices.Equal(parsed, scopes) {
		err = errors.New("a scope contains a comma; write a list of scopes")
	}
	return err
}

// checkSource checks the form of a source, without reading it.
func checkSource(source string) error {
	_, _, err := SplitSource(source)
	return err
}

// SplitSource returns the kind of a source and the name or path in it.
func SplitSource(source string) (kind, name string, err error) {
	if name, ok := strings.CutPrefix(source, "credential:"); ok {
		if name == "" || strings.ContainsAny(name, "/\x00{}") || name == "." || name == ".." {
			return "", "", errSource
		}
		return "credential", name, nil
	}
	switch {
	case strings.HasPrefix(source, "{args["):
		return "", "", errors.New("it has no value: the import of this snippet passes too few arguments; write them after its name, such as {env.LLORCH_UPSTREAM_TOKEN}")
	case strings.HasPrefix(source, "/") && !strings.HasSuffix(source, "="):
		return "", "", errors.New("a file is written in braces, as {file./absolute/path}")
	}
	inner, ok := strings.CutPrefix(source, "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return "", "", errSource
	}
	kind, name, _ = strings.Cut(strings.TrimSuffix(inner, "}"), ".")
	if name == "" || strings.ContainsAny(name, "{}") || (kind != "env" && kind != "file") {
		return "", "", errSource
	}
	if kind == "file" && !filepath.IsAbs(name) {
		return "", "", fmt.Errorf("%q is not an absolute path; inside a site, {file.…} has another meaning", name)
	}
	return kind, name, nil
}

// ReadSource reads a token from its source. The error names the source, never the value.
func ReadSource(source string) (authmin.Secret, error) {
	s, err := openSource(sourceToken, "", source)
	return s.Secret(), err
}

// openSource is ReadSource for a secret that is watched if it is in a file.
func openSource(kind, what, source string) (*authmin.SecretSource, error) {
	from, name, err := SplitSource(source)
	if err != nil {
		return nil, err
	}
	switch from {
	case "file":
		return authmin.FileSecret(kind, what, name)
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if !filepath.IsAbs(dir) {
			return nil, fmt.Errorf("credential:%s: CREDENTIALS_DIRECTORY is not set; start the service with systemd's LoadCredential=%s:PATH; in a shell, as root, export CREDENTIALS_DIRECTORY=/etc/llorch/credentials, or where they are kept", name, name)
		}
		return authmin.FileSecret(kind, what, filepath.Join(dir, name))
	}
	secret, err := authmin.SecretFromEnv(func(key string) (string, bool) {
		if key != name { // NAME_FILE belongs to the settings of the environment
			return "", false
		}
		return os.LookupEnv(key)
	}, name)
	if err == nil && secret.IsZero() {
		err = fmt.Errorf("the environment variable %s is not set", name)
	}
	if err != nil {
		return nil, err
	}
	return authmin.FixedSecret(kind, what, secret), nil
}
