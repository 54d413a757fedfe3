package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

var buildNATS = sync.OnceValues(func() (string, error) {
	return buildProgram("github.com/nats-io/nats-server/v2", "nats-server")
})

// newForeign prepares three replicas that keep their state in an existing NATS cluster:
// three servers, each a process too, over TLS, with an account for the orchestrators
// that an operator's JWT names.
func newForeign(t *testing.T) (c *cluster, servers []*replica) {
	t.Helper()
	server, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build(); err != nil {
		t.Fatal(err)
	}
	c = &cluster{t: t, upstream: authmin.RandomSecret()}
	a := testkit.NewAuthority(t)
	cert, key := a.Issue("nats", []string{"127.0.0.1"})
	trust, creds := accounts(t)
	var routes, urls []string
	for range 3 {
		routes, urls = append(routes, testkit.FreeAddress(t)), append(urls, testkit.FreeAddress(t))
	}
	for i := range 3 {
		conf := filepath.Join(t.TempDir(), "nats.conf")
		text := fmt.Sprintf(`
server_name: nats%d
listen: %q
max_payload: 2MB
jetstream { store_dir: %q, sync_interval: always }
tls { cert_file: %q, key_file: %q }
cluster { name: theirs, listen: %q, routes: [ %s ] }
%s`, i+1, urls[i], t.TempDir(), cert, key, routes[i], "nats-route://"+strings.Join(routes, ", nats-route://"), trust)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, &replica{c: c, name: fmt.Sprint("nats", i+1), path: server, args: []string{"-c", conf}})
		name, http := fmt.Sprint("replica", i+1), testkit.FreeAddress(t)
		c.replicas = append(c.replicas, &replica{c: c, name: name, http: http, env: []string{
			"PATH=" + os.Getenv("PATH"), "ORCHD_ADDR=" + http, "LLORCH_UPSTREAM_TOKEN=" + c.upstream.Reveal(), "ORCHD_CLUSTER_REPLICA=" + name,
			"ORCHD_NATS_URL=tls://" + strings.Join(urls, ",tls://"), "ORCHD_NATS_CREDS=" + creds, "ORCHD_NATS_CA=" + a.File,
		}})
	}
	c.cleanUp(servers...)
	for _, s := range servers {
		s.start()
	}
	c.start()
	return c, servers
}

// accounts makes an operator with two accounts, one of them the system's: what the
// servers have to be told of it, and the file of a user of the other one.
func accounts(t *testing.T) (trust, creds string) {
	t.Helper()
	must := func(key nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return key, public
	}
	signed := func(claims jwt.Claims, by nkeys.KeyPair) string {
		text, err := claims.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator, operatorID := must(nkeys.CreateOperator())
	_, systemID := must(nkeys.CreateAccount())
	account, accountID := must(nkeys.CreateAccount())
	user, userID := must(nkeys.CreateUser())
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	trust = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n%s: %s\n%s: %s\n}\n",
		signed(jwt.NewOperatorClaims(operatorID), operator), systemID,
		systemID, signed(jwt.NewAccountClaims(systemID), operator), accountID, signed(claims, operator))
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(signed(jwt.NewUserClaims(userID), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	creds = filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(creds, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return trust, creds
}
