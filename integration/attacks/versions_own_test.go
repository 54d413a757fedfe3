package attacks_test

import (
	"slices"
	"strings"
	"testing"
)

// asked is a well-formed request, from which each case changes something.
func asked(change ...func(*message)) message {
	m := message{fields: []field{
		{":method", "GET"}, {":scheme", "https"}, {":authority", "{{HOST}}"}, {":path", "/v1/models"},
		{"authorization", "Bearer " + tokenOK},
	}}
	for _, c := range change {
		c(&m)
	}
	return m
}

func set(name, value string) func(*message) {
	return func(m *message) {
		for i, f := range m.fields {
			if f.name == name {
				m.fields[i].value = value
				return
			}
		}
		m.fields = append(m.fields, field{name, value})
	}
}

func add(name, value string) func(*message) {
	return func(m *message) { m.fields = append(m.fields, field{name, value}) }
}

func first(name, value string) func(*message) {
	return func(m *message) { m.fields = slices.Insert(m.fields, 0, field{name, value}) }
}

func without(name string) func(*message) {
	return func(m *message) {
		m.fields = slices.DeleteFunc(m.fields, func(f field) bool { return f.name == name })
	}
}

func body(text string, trailers ...field) func(*message) {
	return func(m *message) {
		set(":method", "POST")(m)
		m.body, m.trailers = []byte(text), trailers
	}
}

// refusal and served are what most of these cases expect.
var (
	reached, unreached = true, false
	refusal            = expect{Status: []int{400, 401, 403, 405, 431, 501}, Upstream: &unreached}
	served             = expect{Status: []int{200}, Upstream: &reached, UpEquals: map[string]string{"X-Auth-Identity": "ci"}, UpAbsent: []string{"Authorization"}}
)

// ownCases are attacks that HTTP/1.1 cannot say.
var ownCases = map[string]struct {
	message message
	expect  expect
}{
	"nothing wrong":                       {asked(), served},
	"no token":                            {asked(without("authorization")), refusal},
	"plain CONNECT":                       {asked(set(":method", "CONNECT"), without(":scheme"), without(":path")), refusal},
	"CONNECT with a path":                 {asked(set(":method", "CONNECT")), refusal},
	"extended CONNECT for a WebSocket":    {asked(set(":method", "CONNECT"), first(":protocol", "websocket")), refusal},
	"extended CONNECT without a token":    {asked(set(":method", "CONNECT"), first(":protocol", "websocket"), without("authorization")), refusal},
	"connect-udp to a public path":        {asked(set(":method", "CONNECT"), first(":protocol", "connect-udp"), set(":path", "/public/x")), refusal},
	"TRACE":                               {asked(set(":method", "TRACE")), refusal},
	"no method":                           {asked(without(":method")), refusal},
	"no path":                             {asked(without(":path")), refusal},
	"empty path":                          {asked(set(":path", "")), refusal},
	"no authority and no Host":            {asked(without(":authority")), refusal},
	"empty authority":                     {asked(set(":authority", "")), refusal},
	"Host alone":                          {asked(without(":authority"), add("host", "{{HOST}}")), served},
	"Host beside another authority":       {asked(add("host", "evil.example")), refusal},
	"user information in the authority":   {asked(set(":authority", "x:y@{{HOST}}")), refusal},
	"path in the authority":               {asked(set(":authority", "{{HOST}}/public")), refusal},
	"two paths":                           {asked(first(":path", "/public/x")), refusal},
	"two methods":                         {asked(first(":method", "GET")), refusal},
	"two authorities":                     {asked(first(":authority", "evil.example")), refusal},
	"a pseudo-field behind the others":    {asked(without(":path"), add(":path", "/v1/models")), refusal},
	"an unknown pseudo-field":             {asked(first(":x", "1")), refusal},
	":status in a request":                {asked(first(":status", "200")), refusal},
	"upper case in a name":                {asked(add("X-Auth-Identity", "admin")), refusal},
	"a space in a name":                   {asked(add("x auth", "1")), refusal},
	"a colon in a name":                   {asked(add("x:y", "1")), refusal},
	"a line end in a value":               {asked(add("x-a", "1\r\nX-Auth-Identity: admin")), refusal},
	"a line end in the path":              {asked(set(":path", "/v1/models HTTP/1.1\r\nX-Auth-Identity: admin\r\nX: ")), refusal},
	"a line end in the method":            {asked(set(":method", "GET /admin/pools HTTP/1.1\r\nX: y\r\n\r\nGET")), refusal},
	"a line end in the authority":         {asked(set(":authority", "a\r\nX-Auth-Identity: admin")), refusal},
	"a NUL in a value":                    {asked(add("x-a", "1\x00")), refusal},
	"Transfer-Encoding":                   {asked(add("transfer-encoding", "chunked"), body("0\r\n\r\nGET /admin/x HTTP/1.1\r\n\r\n")), refusal},
	"Connection":                          {asked(add("connection", "x-auth-identity")), refusal},
	"Keep-Alive":                          {asked(add("keep-alive", "timeout=5")), refusal},
	"Upgrade":                             {asked(add("upgrade", "h2c")), refusal},
	"TE other than trailers":              {asked(add("te", "gzip")), refusal},
	"TE trailers":                         {asked(add("te", "trailers")), served},
	"less than the announced length":      {asked(add("content-length", "9"), body("hello")), expect{Status: []int{400, 502}, SingleUpstream: true}},
	"more than the announced length":      {asked(add("content-length", "2"), body("hello")), expect{Status: []int{200, 400, 502}, SingleUpstream: true}},
	"a length that is no number":          {asked(add("content-length", "5x"), body("hello")), refusal},
	"two lengths that differ":             {asked(add("content-length", "5"), add("content-length", "6"), body("hello")), refusal},
	"a request in the body":               {asked(body("GET /admin/pools HTTP/1.1\r\nHost: x\r\n\r\n")), served},
	"two tokens":                          {asked(add("authorization", "Bearer "+tokenBad)), refusal},
	"the same token twice":                {asked(add("authorization", "Bearer "+tokenOK)), refusal},
	"the token in a trailer":              {asked(without("authorization"), body("x", field{"authorization", "Bearer " + tokenOK})), refusal},
	"the identity in a trailer":           {asked(add("trailer", "x-auth-identity"), body("x", field{"x-auth-identity", "admin"})), expect{Status: []int{200, 400}, UpTrailerAbsent: []string{"X-Auth-Identity"}}},
	"a pseudo-field in a trailer":         {asked(body("x", field{":path", "/admin/pools"})), expect{Status: []int{200, 400, 502}, SingleUpstream: true}},
	"forged identity":                     {asked(add("x-auth-identity", "admin")), served},
	"another scheme":                      {asked(set(":scheme", "http")), expect{Status: []int{200, 400}}},
	"a scheme that is none":               {asked(set(":scheme", "https://evil.example/?")), expect{Status: []int{200, 400}, UpEquals: map[string]string{"X-Forwarded-Proto": "https"}}},
	"cookies in crumbs":                   {asked(add("cookie", "a=1"), add("cookie", "b=2")), served},
	"a path in absolute form":             {asked(set(":path", "https://{{HOST}}/v1/models")), refusal},
	"a star, which Go answers itself":     {asked(set(":path", "*"), set(":method", "OPTIONS")), expect{Status: []int{200, 400, 401}, Upstream: &unreached}},
	"a path that begins with two slashes": {asked(set(":path", "//{{HOST}}/v1/models")), refusal},
	"dots":                                {asked(set(":path", "/public/../v1/models")), refusal},
	"a fragment":                          {asked(set(":path", "/v1/models#x")), refusal},
	"too many fields": {asked(func(m *message) {
		m.fields = append(m.fields, slices.Repeat([]field{{"x-a", strings.Repeat("b", 200)}}, 10_000)...)
	}), refusal},
}

// TestOwnAttacksOfOtherVersions says what HTTP/1.1 has no words for.
func TestOwnAttacksOfOtherVersions(t *testing.T) {
	t.Parallel()
	to := startSecureGateway(t)
	certified(t, to)
	sockets := t // they close after all cases, so that no case gets another's port and its requests
	for version, speak := range versions {
		for name, c := range ownCases {
			t.Run(version+" "+name, func(t *testing.T) {
				m := c.message
				m.fields = slices.Clone(m.fields)
				for i := range m.fields {
					m.fields[i].value = strings.ReplaceAll(m.fields[i].value, "{{HOST}}", to.pub)
				}
				responses, peer, err := speak(sockets, to.pub, m)
				if err != nil {
					t.Fatal(err)
				}
				got := outcomeOf(nil, flat(responses), responses, to.upstream.requestsOf(peer))
				for _, wrong := range judge(c.expect, got) {
					t.Errorf("%s\ngot %.600q", wrong, got.raw)
				}
			})
		}
	}
	t.Logf("%d cases on each of %d versions", len(ownCases), len(versions))
}
