package orchestrator

import (
	"strings"
	"testing"
)

// TestTheDomainChecksIDsAndDigestsItself does not lean on the HTTP validation.
func TestTheDomainChecksIDsAndDigestsItself(t *testing.T) {
	good := ModelRequest{ID: "qwen3:8b@q4_k-m.gguf", Digest: "sha256:" + strings.Repeat("0", 64), SourceURL: "file:a/b"}
	if err := checkModel(good); err != nil {
		t.Errorf("got %v", err)
	}
	for _, id := range []string{"", "..", "../x", "a/b", ".a", "a\n", "a\x00", strings.Repeat("a", 129)} {
		bad := good
		bad.ID = id
		if checkModel(bad) == nil {
			t.Errorf("id %q is taken", id)
		}
	}
	for _, digest := range []string{"", "sha256:", good.Digest + "0", strings.ToUpper(good.Digest), "sha512" + good.Digest[6:]} {
		bad := good
		bad.Digest = digest
		if checkModel(bad) == nil {
			t.Errorf("digest %q is taken", digest)
		}
	}
}
