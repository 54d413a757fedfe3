package caddymodule

import (
	"errors"
	"fmt"
	"os"

	"github.com/llorch/gateway/authmin"
)

// The variables that are read when no global authmin block says anything.
const (
	EnvToken      = "LLORCH_API_TOKEN" // a token with every scope; with _FILE, where it is
	EnvTokenAlias = "AUTH_TOKEN"       // the same, deprecated
	EnvOptional   = "AUTH_OPTIONAL"    // whether requests of this machine need no token
	EnvTrustProxy = "TRUST_PROXY_AUTH" // refused unless false: it names no proxy
)

// resolveEnv reads the settings from the environment.
func (a *App) resolveEnv() ([]sourcedToken, error) {
	var err error
	if a.optional, err = authmin.ParseOptional(os.Getenv(EnvOptional)); err != nil {
		return nil, err
	}
	trust, err := authmin.ParseOptional(os.Getenv(EnvTrustProxy))
	if err != nil || trust {
		return nil, errors.New("TRUST_PROXY_AUTH does not name the proxies to trust: unset it, and write `trust_proxy CIDR…` into a global authmin block")
	}
	token, alias, err := environmentSources()
	if err != nil || token.Secret().IsZero() {
		return nil, err
	}
	return []sourcedToken{{name: authmin.NameDefault, scopes: authmin.AllScopes(), source: token, alias: alias}}, nil
}

// EnvironmentToken reads the token from LLORCH_API_TOKEN or LLORCH_API_TOKEN_FILE, or
// from their deprecated alias AUTH_TOKEN. It returns the zero Secret if none is set, and
// an error if the alias has another value.
func EnvironmentToken() (authmin.Secret, error) {
	token, _, err := environmentSources()
	return token.Secret(), err
}

// environmentSources returns the source of that token, and the alias if that is set as
// well; nil otherwise.
func environmentSources() (token, alias *authmin.SecretSource, err error) {
	if token, err = environmentSource(EnvToken); err != nil {
		return nil, nil, err
	}
	if alias, err = environmentSource(EnvTokenAlias); err != nil {
		return nil, nil, err
	}
	switch {
	case alias.Secret().IsZero():
		return token, nil, nil
	case token.Secret().IsZero():
		return alias, nil, nil
	case !token.Secret().Equal(alias.Secret()):
		return nil, nil, errAliasDiffers
	}
	return token, alias, nil
}

func environmentSource(name string) (*authmin.SecretSource, error) {
	path, inFile := os.LookupEnv(name + "_FILE")
	if _, inline := os.LookupEnv(name); inFile && !inline {
		source, err := authmin.FileSecret(sourceEnvironment, name+"_FILE", path)
		if err != nil {
			return nil, fmt.Errorf("%s_FILE: %w", name, err)
		}
		return source, nil
	}
	secret, err := authmin.SecretFromEnv(os.LookupEnv, name)
	if err != nil {
		return nil, err
	}
	return authmin.FixedSecret(sourceEnvironment, name, secret), nil
}
