package caddymodule

import (
	"errors"
	"fmt"
	"os"

	"github.com/llorch/gateway/authmin"
)

// The variables that are read when no global authmin block says anything.
const (
	envToken      = "LLORCH_API_TOKEN"
	envTokenAlias = "AUTH_TOKEN" // deprecated
	envOptional   = "AUTH_OPTIONAL"
	envTrustProxy = "TRUST_PROXY_AUTH"
)

// resolveAmbient reads the settings from the environment.
func (a *App) resolveAmbient() ([]authmin.Token, error) {
	var err error
	if a.optional, err = authmin.ParseOptional(os.Getenv(envOptional)); err != nil {
		return nil, err
	}
	trust, err := authmin.ParseOptional(os.Getenv(envTrustProxy))
	if err != nil || trust {
		return nil, errors.New("TRUST_PROXY_AUTH needs to know the proxies: unset it, and write `trust_proxy CIDR…` into a global authmin block")
	}
	secret, err := EnvironmentToken()
	if err != nil || secret.IsZero() {
		return nil, err
	}
	return []authmin.Token{authmin.NewToken(authmin.NameDefault, secret, authmin.AllScopes()...)}, nil
}

// EnvironmentToken reads the token of LLORCH_API_TOKEN or LLORCH_API_TOKEN_FILE,
// or of their deprecated alias AUTH_TOKEN; the zero Secret when none is set. An
// alias that differs is an error: one of the two is not what the operator means.
func EnvironmentToken() (authmin.Secret, error) {
	secret, err := authmin.SecretFromEnv(os.LookupEnv, envToken)
	if err != nil {
		return authmin.Secret{}, err
	}
	alias, err := authmin.SecretFromEnv(os.LookupEnv, envTokenAlias)
	if err != nil {
		return authmin.Secret{}, err
	}
	switch {
	case alias.IsZero():
		return secret, nil
	case secret.IsZero():
		return alias, nil
	case !secret.Equal(alias):
		return authmin.Secret{}, fmt.Errorf("%s and its deprecated alias %s are both set and differ; unset %s", envToken, envTokenAlias, envTokenAlias)
	}
	return secret, nil
}
