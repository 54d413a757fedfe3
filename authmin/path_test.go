package authmin

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckTargetAccepts(t *testing.T) {
	cases := map[string]struct{ target, path string }{
		"the root":                         {"/", "/"},
		"a plain path":                     {"/v1/models", "/v1/models"},
		"a trailing slash":                 {"/v1/models/", "/v1/models/"},
		"a model id with dots":             {"/v1/models/llama3.1-8b", "/v1/models/llama3.1-8b"},
		"a model id with a colon":          {"/v1/models/llama3:8b-instruct-q4_0", "/v1/models/llama3:8b-instruct-q4_0"},
		"a model id with a slash":          {"/v1/models/meta-llama/Llama-3.1-8B", "/v1/models/meta-llama/Llama-3.1-8B"},
		"two dots in a segment":            {"/v1/files/a..b", "/v1/files/a..b"},
		"three dots":                       {"/v1/files/...", "/v1/files/..."},
		"two dots at the end of a name":    {"/v1/files/a..", "/v1/files/a.."},
		"a leading dot":                    {"/v1/files/.config", "/v1/files/.config"},
		"encoded UTF-8":                    {"/v1/files/%E6%96%87.txt", "/v1/files/文.txt"},
		"an encoded space":                 {"/v1/files/a%20b", "/v1/files/a b"},
		"the marks of model ids":           {"/v1/files/~a+b@c,d=e", "/v1/files/~a+b@c,d=e"},
		"the other marks of RFC 3986":      {"/v1/!$&'()*_-", "/v1/!$&'()*_-"},
		"an encoded letter":                {"/%61dmin/pools", "/admin/pools"},
		"lower-case escapes":               {"/v1/%c3%a9", "/v1/é"},
		"an encoded hash":                  {"/admin/pools%23/public", "/admin/pools#/public"},
		"an encoded question mark":         {"/admin/pools%3F/x", "/admin/pools?/x"},
		"an encoded quote":                 {"/v1/%22", `/v1/"`},
		"an encoded bracket":               {"/v1/%5B0%5D", "/v1/[0]"},
		"an encoded slash":                 {"/v1/models/meta-llama%2FLlama", "/v1/models/meta-llama%2FLlama"},
		"an encoded slash in lower case":   {"/v1/models/meta-llama%2fLlama", "/v1/models/meta-llama%2FLlama"},
		"an encoded slash at the end":      {"/v1/models/a%2F", "/v1/models/a%2F"},
		"an empty query":                   {"/v1?", "/v1"},
		"slashes and dots in the query":    {"/v1/models?path=..%2f..%2fx&u=http://a//", "/v1/models"},
		"a question mark in the query":     {"/v1?a?b", "/v1"},
		"a broken escape in the query":     {"/v1?a=%zz%", "/v1"},
		"a semicolon in the query":         {"/v1?a;b", "/v1"},
		"bytes beyond ASCII in the query":  {"/v1?a=\xe9", "/v1"},
		"a target of exactly the limit":    {"/" + strings.Repeat("a", MaxTarget-1), "/" + strings.Repeat("a", MaxTarget-1)},
		"an overlong path of many letters": {"/" + strings.Repeat("%61", 5000), "/" + strings.Repeat("a", 5000)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := CheckTarget(c.target); err != nil || got != c.path {
				t.Errorf("%.80q: got %.80q, %v, want %.80q", c.target, got, err, c.path)
			}
		})
	}
}

func TestCheckTargetRefuses(t *testing.T) {
	cases := map[string]string{
		"nothing":                              "",
		"no leading slash":                     "admin/pools",
		"a query alone":                        "?x",
		"an asterisk":                          "*",
		"a fragment alone":                     "#",
		"absolute form":                        "http://127.0.0.1/health",
		"authority form":                       "example.com:443",
		"a dot segment":                        "/./admin",
		"a dot segment at the end":             "/admin/.",
		"two dots":                             "/public/../admin",
		"two dots at the start":                "/../admin",
		"two dots at the end":                  "/public/..",
		"a dot alone":                          "/.",
		"two dots alone":                       "/..",
		"two dots before a query":              "/public/..?x",
		"two dots before an encoded slash":     "/public/..%2fadmin",
		"a full-width slash":                   "/public/..%ef%bc%8fadmin",
		"two dots behind an encoded slash":     "/public/a%2f../admin",
		"two dots between encoded slashes":     "/public/a%2F..%2Fadmin",
		"a dot between encoded slashes":        "/public/a%2F.%2Fadmin",
		"a dot behind the last encoded slash":  "/public/a%2F.",
		"encoded dots":                         "/public/%2e%2e/admin",
		"one encoded dot of two":               "/public/.%2E/admin",
		"an encoded dot in a name":             "/v1/llama3%2e1",
		"dots encoded twice":                   "/public/%252e%252e/admin",
		"a slash encoded twice":                "/public/..%252fadmin",
		"an encoded percent sign":              "/v1/100%25",
		"overlong dots":                        "/public/%c0%ae%c0%ae/admin",
		"an overlong slash":                    "/public/..%c0%afadmin",
		"an overlong slash of three bytes":     "/public/..%e0%80%afadmin",
		"half a surrogate pair":                "/v1/%ed%a0%80",
		"beyond Unicode":                       "/v1/%f4%90%80%80",
		"half a letter":                        "/v1/%c3",
		"half a letter before an escape":       "/v1/%c3%2f",
		"a stray byte":                         "/v1/%ff",
		"a double slash":                       "/public//admin",
		"a double slash at the start":          "//admin/pools",
		"three slashes":                        "///admin/pools",
		"a double slash at the end":            "/admin//",
		"two slashes alone":                    "//",
		"an encoded slash at the start":        "/%2Fadmin",
		"an encoded slash alone":               "/%2f",
		"two encoded slashes":                  "/v1/a%2F%2Fb",
		"a slash and an encoded one":           "/v1/%2Fb",
		"an encoded slash and a slash":         "/v1/a%2F/b",
		"a backslash":                          "/public/..\\admin\\pools",
		"an encoded backslash":                 "/public/..%5cadmin%5Cpools",
		"a parameter":                          "/admin;x=1/pools",
		"a parameter behind two dots":          "/public/..;/admin",
		"an encoded semicolon":                 "/public/..%3b/admin",
		"a session id":                         "/admin/pools;jsessionid=1",
		"a NUL":                                "/public/\x00",
		"an encoded NUL":                       "/public/%00/admin",
		"an encoded NUL behind a name":         "/admin/pools%00.png",
		"an encoded line end":                  "/v1/%0d%0aSet-Cookie:x",
		"an encoded tab":                       "/v1/%09",
		"an encoded escape":                    "/v1/%1b[2J",
		"an encoded DEL":                       "/v1/%7f",
		"an encoded C1 control":                "/v1/%c2%85",
		"a line end":                           "/v1\n",
		"a space":                              "/v1/a b",
		"a tab":                                "/v1/a\tb",
		"a fragment":                           "/public/x#/../../admin",
		"a fragment in the query":              "/public/x?a#b",
		"a space in the query":                 "/v1?a b",
		"a NUL in the query":                   "/v1?a\x00b",
		"a line end in the query":              "/v1?a\nb",
		"a DEL in the query":                   "/v1?a\x7f",
		"a truncated escape":                   "/public/%2",
		"a percent sign at the end":            "/public/%",
		"an escape that is no hexadecimal":     "/public/%zz",
		"half an escape that begins a letter":  "/public/%g0%9f%98%80", // read as F0, it is a letter
		"an escape with a space":               "/public/%2 f",
		"an IIS escape":                        "/public/%u002e%u002e/admin",
		"an escape with a sign":                "/public/%+2",
		"bytes that must be encoded":           "/v1/文",
		"a stray byte that must be encoded":    "/v1/\xff",
		"a quote":                              `/v1/"`,
		"an angle bracket":                     "/v1/<x>",
		"a brace":                              "/v1/{env.X}",
		"a square bracket":                     "/v1/[0]",
		"a bar":                                "/v1/a|b",
		"a circumflex":                         "/v1/a^b",
		"a backtick":                           "/v1/a`b",
		"a target of a byte more than allowed": "/" + strings.Repeat("a", MaxTarget),
		"a query that is too long":             "/?" + strings.Repeat("a", MaxTarget),
	}
	for name, target := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := CheckTarget(target)
			if !errors.Is(err, ErrAmbiguousTarget) {
				t.Fatalf("%.80q was read as %.80q, %v", target, got, err)
			}
			if strings.Contains(err.Error(), "admin") {
				t.Errorf("the error repeats what the client sent: %v", err)
			}
		})
	}
}

// Of the 256 bytes, encoded and plain, exactly these stand in a path.
func TestEveryByteOfAPath(t *testing.T) {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/?" // "?" ends the path
	for b := range 256 {
		c := string([]byte{byte(b)})
		if _, err := CheckTarget("/a" + c + "a"); (err == nil) != (b < 0x80 && strings.Contains(plain, c)) {
			t.Errorf("byte %#02x: got %v", b, err)
		}
		escaped := "%" + string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15])
		refused := b < ' ' || b >= 0x7f || strings.Contains(`\.;%`, c)
		if _, err := CheckTarget("/a" + escaped + "a"); (err != nil) != refused {
			t.Errorf("escape %s: got %v", escaped, err)
		}
		if _, err := CheckTarget("/a" + strings.ToUpper(escaped) + "a"); (err != nil) != refused {
			t.Errorf("escape %s: got %v", strings.ToUpper(escaped), err)
		}
	}
}
