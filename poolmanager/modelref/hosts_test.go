package modelref

import "testing"

func TestModelHostsAreFullNames(t *testing.T) {
	for _, entry := range []string{"huggingface.co", "mirror.internal:8443", "10.0.0.7", "[fd00::1]:443", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"} {
		if err := CheckHost(entry); err != nil {
			t.Errorf("%s: %v", entry, err)
		}
	}
	for _, entry := range []string{"", "*", "*.hf.co", "https://huggingface.co", "huggingface.co/x", "u@h", "huggingface.co.", "hü.example", "h:0", "h:99999", "[fe80::1%25eth0]", "http://localhost.", "http://example.com", "http://10.0.0.7:80", "h?x", "a b", "http://"} {
		if err := CheckHost(entry); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}
