package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// ownerName is the name of the token that up makes, and of the one that it takes
// from the environment.
const ownerName = "owner"

// clientToken is where up's clients' token is.
type clientToken struct {
	fromEnv bool
	file    string         // that the environment names, which the gateway follows; "": none
	keyring string         // path of the keyring file, when not from the environment
	made    authmin.Secret // a token made at this start: printed once, then gone
}

// plannedToken says where the token will be, and makes none.
func plannedToken(o upOptions) (clientToken, error) {
	secret, err := caddymodule.EnvironmentToken()
	if err != nil {
		return clientToken{}, err
	}
	if !secret.IsZero() {
		if path := tokenFile(); path != "" {
			return clientToken{fromEnv: true, file: path}, nil
		}
		// Whatever the variable was that held it: the configuration reads one.
		return clientToken{fromEnv: true}, os.Setenv(envClientToken, secret.Reveal())
	}
	return clientToken{keyring: filepath.Join(o.dataDir, "tokens")}, nil
}

// findToken is plannedToken, and makes a token when there is none at all. Only
// its hash is kept.
func findToken(o upOptions) (clientToken, error) {
	client, err := plannedToken(o)
	if err != nil || client.fromEnv {
		return client, err
	}
	_, err = os.Lstat(client.keyring)
	if !errors.Is(err, fs.ErrNotExist) {
		return client, err // there, or not to be looked at: the guard will say
	}
	client.made = authmin.RandomSecret()
	token := authmin.NewToken(ownerName, client.made, authmin.ScopeAdmin)
	token.Created = time.Now().Unix()
	if err := authmin.WriteKeyringFile(client.keyring, []authmin.Token{token}); err != nil {
		return client, fmt.Errorf("keeping the token's hash: %w", err)
	}
	return client, nil
}

// caddyfileLine names the token in the global block.
func (c clientToken) caddyfileLine() string {
	if c.file != "" {
		return `token ` + ownerName + ` "` + quote("{file."+c.file+"}") + `" admin`
	}
	if c.fromEnv {
		return "token " + ownerName + " {env." + envClientToken + "} admin"
	}
	return `token_file "` + quote(c.keyring) + `"`
}

// tokenFile is the file that alone holds the token of the environment. A path
// that a Caddyfile cannot name is read once instead.
func tokenFile() string {
	var found string
	for _, name := range []string{envClientToken, envClientTokenAlias} {
		if _, inline := os.LookupEnv(name); inline {
			return ""
		}
		if path, ok := os.LookupEnv(name + "_FILE"); ok {
			if found != "" || strings.ContainsAny(path, "{}\n\r") {
				return ""
			}
			found = path
		}
	}
	return found
}
