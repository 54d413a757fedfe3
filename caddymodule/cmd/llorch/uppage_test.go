package main

import (
	"net"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/llorch/gateway/caddymodule"
)

// --page and --open have one meaning, or the error says what to write.
func TestThePagesFlags(t *testing.T) {
	for _, c := range []struct {
		listen, config, page string
		open                 bool
		want                 string // the address, or a part of the error
	}{
		{"127.0.0.1:8080", "", "", false, "127.0.0.1:8082"},
		{"127.0.0.1:8082", "", "", true, "127.0.0.1:8083"},
		{"localhost:8082", "", "", false, "127.0.0.1:8083"},
		{"127.0.0.1:8080", "", "[::1]:8080", false, "port of its own"},
		{"127.0.0.1:8080", "", "[::1]:9000", false, "[::1]:9000"},
		{"127.0.0.1:8080", "", "off", false, ""},
		{"127.0.0.1:8080", "", "off", true, "no page to open"},
		{"127.0.0.1:8080", "", "127.0.0.1:8080", false, "port of its own"},
		{"127.0.0.1:8080", "", "0.0.0.0:8082", false, "want 127.0.0.1:PORT"},
		{"127.0.0.1:8080", "", "unix//run/page.sock", false, "want 127.0.0.1:PORT"},
		{"127.0.0.1:8080", "", "8082", false, "want 127.0.0.1:PORT"},
		{"127.0.0.1:8080", "Caddyfile", "", false, ""},
		{"127.0.0.1:8080", "Caddyfile", "", true, "authmin_page"},
		{"127.0.0.1:8080", "Caddyfile", "127.0.0.1:8082", false, "authmin_page"},
	} {
		o := upOptions{listen: c.listen, config: c.config}
		err := o.readPage(c.page, c.open)
		if err == nil && o.page != c.want || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %q, %v", c, o.page, err)
		}
	}
}

// The default port gives way to another program, one that the user has named does not.
func TestThePageMovesFromAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := upOptions{page: taken.Addr().String(), pageMayMove: true}
	if err := o.placePage(); err != nil || o.page == taken.Addr().String() || !strings.HasPrefix(o.page, "127.0.0.1:") {
		t.Errorf("the default port: got %q, %v", o.page, err)
	}
	o = upOptions{page: taken.Addr().String()}
	if err := o.placePage(); err == nil || !strings.Contains(err.Error(), "--page") {
		t.Errorf("a named port: got %v", err)
	}
}

// The Caddyfile has the page on its own port, and none without it; the first lines that a
// person reads name it.
func TestUpNamesItsPage(t *testing.T) {
	for _, page := range []string{"127.0.0.1:8082", "[::1]:8082", ""} {
		o := upOptions{listen: "127.0.0.1:8080", page: page, dataDir: t.TempDir(), engine: "demo"}
		client := clientToken{keyring: o.dataDir + "/tokens"}
		text, err := caddyfileFor(o, client)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil); err != nil {
			t.Errorf("%s: %v", page, err)
		}
		var out strings.Builder
		if err := printWelcome(&out, o, client, "demo"); err != nil {
			t.Fatal(err)
		}
		first := strings.Join(strings.SplitN(out.String(), "\n", 3)[:2], "\n")
		if got := strings.Contains(text, "\t"+caddymodule.PageHandler+" {"); got != (page != "") {
			t.Errorf("%q: the Caddyfile has the page: %v", page, got)
		}
		if got := strings.Contains(first, "http://"+page+"/"); got != (page != "") {
			t.Errorf("%q: the first lines are %q", page, first)
		}
	}
}
