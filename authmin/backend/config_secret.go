package backend

import "github.com/llorch/gateway/authmin"

// Secret is a credential that comes from an environment variable or, better, from the
// file that the variable with _FILE names; never from the configuration file.
type Secret struct {
	Variable string
	// Fallback is the variable of the secret that stands in where this one is not
	// set; "": there is none. It is declared before this one.
	Fallback string
	// Doc says what it is for, for an operator.
	Doc string
	// Source is set to where it comes from. Without the variable it holds the zero
	// Secret.
	Source **authmin.SecretSource
}

// Secrets are the credentials of a program.
type Secrets []Secret

// Variables are the environment variables of the secrets.
func (s Secrets) Variables() []string {
	var names []string
	for _, secret := range s {
		names = append(names, secret.Variable, secret.Variable+"_FILE")
	}
	return names
}

// Read reads the secrets, and returns their sources.
func (s Secrets) Read(lookup Lookup) ([]*authmin.SecretSource, error) {
	var sources []*authmin.SecretSource
	byName := map[string]*authmin.SecretSource{}
	for _, secret := range s {
		source, err := authmin.SecretSourceFromEnv(lookup, secret.Variable)
		if err != nil {
			return nil, err
		}
		if fallback := byName[secret.Fallback]; fallback != nil && source.Secret().IsZero() {
			source = fallback
		} else {
			sources = append(sources, source)
		}
		*secret.Source, byName[secret.Variable] = source, source
	}
	return sources, nil
}
