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

// ownerName is the name of the client token, whether up generates it or reads it
// from the environment.
const ownerName = "owner"

// clientToken describes where the token of up's clients comes from.
type clientToken struct {
	fromEnv   bool
	file      string         // the file named by the environment, which the gateway watches; "": none
	keyring   string         // path of the keyring file, when not from the environment
	generated authmin.Secret // a token generated at this start: printed once, stored nowhere
}

// locateToken finds where the token is or will be. It generates none.
func locateToken(o upOptions) (clientToken, error) {
	secret, err := caddymodule.EnvironmentToken()
	if err != nil {
		return clientToken{}, err
	}
	if !secret.IsZero() {
		if path := tokenFile(); path != "" {
			return clientToken{fromEnv: true, file: path}, nil
		}
		// The generated Caddyfile reads EnvToken, also when the alias held the token.
		return clientToken{fromEnv: true}, os.Setenv(caddymodule.EnvToken, secret.Reveal())
	}
	return clientToken{keyring: filepath.Join(o.dataDir, "tokens")}, nil
}

// ensureToken locates the token, and generates one when there is none. Only its
// hash is stored.
func ensureToken(o upOptions) (clientToken, error) {
	client, err := locateToken(o)
	if err != nil || client.fromEnv {
		return client, err
	}
	_, err = os.Lstat(client.keyring)
	if !errors.Is(err, fs.ErrNotExist) {
		return client, err // it exists: the gateway reads and checks it
	}
	client.generated = authmin.RandomSecret()
	token := authmin.NewToken(ownerName, client.generated, authmin.ScopeAdmin)
	token.Created = time.Now().Unix()
	if err := authmin.WriteKeyringFile(client.keyring, []authmin.Token{token}); err != nil {
		return client, fmt.Errorf("storing the hash of the token: %w", err)
	}
	return client, nil
}

// caddyfileLine is the line of the global authmin block that configures the token.
func (c clientToken) caddyfileLine() string {
	if c.file != "" {
		return `token ` + ownerName + ` "` + quote("{file."+c.file+"}") + `" admin`
	}
	if c.fromEnv {
		return "token " + ownerName + " {env." + caddymodule.EnvToken + "} admin"
	}
	return `token_file "` + quote(c.keyring) + `"`
}

// tokenFile returns the file named by LLORCH_API_TOKEN_FILE or AUTH_TOKEN_FILE, if
// that is the only source of the token. It returns "" for a path that a Caddyfile
// cannot contain: that token is read once, at the start.
func tokenFile() string {
	var found string
	for _, name := range []string{caddymodule.EnvToken, caddymodule.EnvTokenAlias} {
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
