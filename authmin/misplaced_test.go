package authmin

import (
	"strings"
	"testing"
	"time"
)

func TestHolds(t *testing.T) {
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
		if got := ring.Holds(text, noon); got != want {
			t.Errorf("Holds(%q) = %v, want %v", text, got, want)
		}
	}
}

func BenchmarkHoldsNothing(b *testing.B) {
	ring := new(Keyring)
	values := []string{"application/json", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "gzip, deflate, br", "a=b; c=d", "/v1/chat/completions", "gateway.example.com", "00-68c8968191751585b54881272ad463ee-ba1aece69c23f149-01"}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range values {
			ring.Holds(v, time.Time{})
		}
	}
}
