package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

func TestAnIssuedCertificateIsTrustedByItsAuthorityOnly(t *testing.T) {
	a := NewAuthority(t)
	cases := map[string]struct {
		trusted *Authority
		hosts   []string
		edit    func(*x509.Certificate)
		ok      bool
	}{
		"its authority":    {a, []string{"127.0.0.1"}, func(*x509.Certificate) {}, true},
		"another one":      {NewAuthority(t), []string{"127.0.0.1"}, func(*x509.Certificate) {}, false},
		"for another host": {a, []string{"gateway.example"}, func(*x509.Certificate) {}, false},
		"expired":          {a, []string{"127.0.0.1"}, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cert, key := a.Issue("server", c.hosts, c.edit)
			if err := ask(t, cert, key, c.trusted.File); (err == nil) != c.ok {
				t.Errorf("got %v, want success = %v", err, c.ok)
			}
		})
	}
}

// ask calls a server that has the certificate, and trusts the authority.
func ask(t *testing.T, cert, key, authority string) error {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	defer server.Close()
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	res, err := client.Get(server.URL)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
