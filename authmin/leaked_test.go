package authmin

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestContainsToken(t *testing.T) {
	ring := fourKinds(t)
	token := tokenOf("ci")
	for text, want := range map[string]bool{
		"":                                    false,
		token:                                 true,
		"Bearer " + token:                     true,
		"/v1/x?a=" + token + "&b":             true,
		"/v1/x?a=Bearer%20" + token:           true,
		"/v1/" + token + "/x":                 true,
		"session=" + token + "; a=b":          true,
		token + ".example":                    true,
		tokenOf("old"):                        false, // expired
		tokenOf("gone"):                       false, // revoked
		tokenOf("x"):                          false,
		token[:len(token)-1]:                  false,
		strings.Repeat("a", 8<<10):            false,
		strings.Repeat("a", 40) + " " + token: true,
	} {
		if got := ring.ContainsToken(text, noon); got != want {
			t.Errorf("ContainsToken(%q) = %v, want %v", text, got, want)
		}
	}
}

// A token of `openssl rand -base64 32` ends in padding and has bytes that a query
// encodes.
func TestContainsATokenOfBase64(t *testing.T) {
	const token = "ab+/cd+/ef+/gh+/ij+/kl+/mn+/op+/qr+/st+/uv="
	ring, err := NewKeyring([]Token{NewToken("ci", NewSecret(token), ScopeInfer)})
	if err != nil {
		t.Fatal(err)
	}
	query := url.QueryEscape(token)
	for text, want := range map[string]bool{
		token:                                true,
		"Bearer " + token:                    true,
		"key=" + token + "; a=b":             true,
		"key=" + token + "=; a=b":            true,
		"/v1/x?key=" + token + "&a=b":        true,
		"/v1/x?key=" + query:                 true,
		"/v1/x?key=" + query + "&a=%zz%":     true,
		"https://x/?a=b&key=" + query + "#c": true,
		"/v1/x?key=Bearer%20" + query:        true,
		"/v1/x?key=%61" + query[1:]:          true,
		token[:len(token)-1]:                 false,
		token[:len(token)-1] + "%":           false,
		token[:len(token)-1] + "%3":          false,
		token[1:]:                            false,
		strings.Repeat("%3D", 100):           false,
		strings.Repeat("=", 100):             false,
		strings.Repeat("a", 40) + "==" + "=": false,
	} {
		if got := ring.ContainsToken(text, noon); got != want {
			t.Errorf("ContainsToken(%q) = %v, want %v", text, got, want)
		}
	}
}

func BenchmarkContainsNoToken(b *testing.B) {
	ring := fourKinds(b)
	values := []string{"application/json", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "gzip, deflate, br", "a=b; c=d", "/v1/chat/completions", "gateway.example.com", "00-68c8968191751585b54881272ad463ee-ba1aece69c23f149-01"}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range values {
			ring.ContainsToken(v, time.Time{})
		}
	}
}
