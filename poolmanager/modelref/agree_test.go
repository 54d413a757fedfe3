package modelref_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// TestSpellingsOfOneServerAreOne: a list with one of them allows the others, and no
// other server.
func TestSpellingsOfOneServerAreOne(t *testing.T) {
	for _, same := range [][]string{
		{"hub.example", "HUB.example", "hub.example:443", "Hub.Example:0443"},
		{"hub.example:8443", "hub.EXAMPLE:8443"},
		{"[fd00::1]", "[FD00:0::1]:443"},
		{"http://127.0.0.1:9"},
		{"http://localhost", "http://LOCALHOST:80"},
		{"127.0.0.1"},
	} {
		for _, entry := range same {
			for _, host := range same {
				link := host + "/m.gguf"
				if !strings.HasPrefix(link, "http://") {
					link = "https://" + link
				}
				source, err := modelref.ParseSource(link)
				if err != nil || !(modelref.Hosts{entry}).Allow(source.URL) {
					t.Errorf("%s is not allowed by %s: %v", link, entry, err)
				}
			}
		}
	}
	list := modelref.Hosts{"hub.example", "http://127.0.0.1:9", "127.0.0.2"}
	for _, link := range []string{
		"https://hub.example:8443/m", "http://hub.example/m", "https://hub.example./m", "https://x.hub.example/m", "https://127.0.0.1:9/m",
		"http://127.0.0.2/m", "http://127.0.0.1:90/m", "https://u@hub.example/m", "https:hub.example", "https://hub.example@evil.example/m", "https:///m",
		"https://h\u212Bub.example/m", "ftp://hub.example/m",
	} {
		if u, err := url.Parse(link); err == nil && list.Allow(u) {
			t.Errorf("%s is allowed", link)
		}
	}
}

// TestASourceThatIsAllowedOnceIsAllowedInItsCanonicalForm: what one side stages, the
// other verifies, however the operators of the two wrote their lists.
func TestASourceThatIsAllowedOnceIsAllowedInItsCanonicalForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`[a-zA-Z0-9]{1,5}\.[a-zA-Z]{2,4}`).Draw(t, "host")
		port := rapid.SampledFrom([]string{"", ":443", ":8443"}).Draw(t, "port")
		entries := modelref.Hosts{host + port}
		if modelref.CheckHost(entries[0]) != nil {
			t.Fatalf("%s is refused", entries[0])
		}
		mixed := rapid.SampledFrom([]string{host, strings.ToUpper(host), strings.ToLower(host)}).Draw(t, "spelling")
		source, err := modelref.ParseSource("https://" + mixed + port + "/m")
		if err != nil || !entries.Allow(source.URL) {
			t.Fatalf("%s%s is not allowed by %s: %v", mixed, port, entries[0], err)
		}
	})
}
