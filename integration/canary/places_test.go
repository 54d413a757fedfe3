package canary_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A canary is a token that was planted in one place and is searched for
// everywhere else.
type canary struct {
	name  string // what and where
	token string
}

// newCanary makes a token that no other place has.
func newCanary(name string) canary {
	sum := sha256.Sum256([]byte("canary " + name))
	return canary{name, "cnry" + hex.EncodeToString(sum[:])[:36]}
}

// partLength is the shortest part that is searched for: long enough that chance
// does not bring it about, short enough to notice a token cut in two.
const partLength = 12

// traces are the texts that betray a canary: parts of it, its hash, and what
// base64 makes of it at each of the three alignments.
func (c canary) traces() []string {
	sum := sha256.Sum256([]byte(c.token))
	all := []string{
		c.token[:partLength], c.token[14 : 14+partLength], c.token[len(c.token)-partLength:],
		hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]),
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + c.token))
		all = append(all, text[4:4+2*partLength])
	}
	return all
}

// in reports whether a text betrays the canary.
func (c canary) in(text string) bool {
	for _, trace := range c.traces() {
		if strings.Contains(text, trace) {
			return true
		}
	}
	return false
}

// A place is where in a request a token stands: each fills in what it is about
// and leaves the rest as it is.
type place struct {
	name string
	// The parts of a request for a path; %s is the token.
	target, host, header, body, method string
	// Without a token of its own the gateway refuses the request whatever it is.
	refused bool
	// The upstream sees it: the gateway does not read it, or cannot know it for
	// a token of its own without hashing all that it forwards.
	forwarded bool
}

var places = []place{
	{name: "query", target: "?access_token=%s", forwarded: true},
	{name: "query, encoded", target: "?a=Bearer%%20%s&b", forwarded: true},
	{name: "path segment", target: "/%s", forwarded: true},
	{name: "user information", target: "!http://user:%s@host/v1/x", refused: true},
	{name: "fragment", target: "#%s", refused: true},
	{name: "ambiguous path", target: "/../%s", refused: true},
	{name: "Host", host: "%s.example", forwarded: true},
	{name: "Host, invalid", host: "user:%s@example", refused: true},
	{name: "method", method: "X%s", refused: true},
	{name: "cookie", header: "Cookie: session=%s", forwarded: true},
	{name: "X-Api-Key", header: "X-Api-Key: %s", forwarded: true},
	{name: "a header of any name", header: "X-Whatever: Bearer %s", forwarded: true},
	{name: "a header's name", header: "X-%s: 1", forwarded: true},
	{name: "Sec-WebSocket-Protocol", header: "Sec-WebSocket-Protocol: bearer, %s", forwarded: true},
	{name: "Proxy-Authorization", header: "Proxy-Authorization: Bearer %s"},
	{name: "X-Forwarded-Access-Token", header: "X-Forwarded-Access-Token: %s"},
	{name: "X-Auth-Identity", header: "X-Auth-Identity: %s"},
	{name: "X-Forwarded-For", header: "X-Forwarded-For: %s"},
	{name: "X-Forwarded-Host", header: "X-Forwarded-Host: %s"},
	{name: "Forwarded", header: "Forwarded: for=%s"},
	{name: "X-Real-IP", header: "X-Real-IP: %s"},
	{name: "User-Agent", header: "User-Agent: curl/%s", forwarded: true},
	{name: "Referer", header: "Referer: https://x.example/?token=%s", forwarded: true},
	{name: "Origin", header: "Origin: https://%s.example", forwarded: true},
	{name: "Accept", header: "Accept: text/%s", forwarded: true},
	{name: "Content-Type", header: "Content-Type: text/%s", forwarded: true},
	{name: "Range", header: "Range: %s", forwarded: true},
	{name: "Last-Event-ID", header: "Last-Event-ID: %s", forwarded: true},
	{name: "traceparent", header: "tracestate: a=%s", forwarded: true},
	{name: "Connection", header: "Connection: %s"},
	{name: "underscores", header: "X_Token: %s"},
	{name: "body", body: "{\"token\": \"%s\"}", method: "POST", forwarded: true},
	{name: "form", body: "access_token=%s", method: "POST", header: "Content-Type: application/x-www-form-urlencoded", forwarded: true},
}

// request writes the request for a path with this token in the place, and
// perhaps another one where tokens belong.
func (p place) request(path, token, authorization string) string {
	fill := func(text string) string {
		if strings.Contains(text, "%s") {
			return fmt.Sprintf(text, token)
		}
		return text
	}
	target := path + fill(p.target)
	if absolute, ok := strings.CutPrefix(p.target, "!"); ok {
		target = fill(absolute)
	}
	method, host := "GET", "gateway.example"
	if p.method != "" {
		method = fill(p.method)
	}
	if p.host != "" {
		host = fill(p.host)
	}
	lines := []string{method + " " + target + " HTTP/1.1", "Host: " + host}
	if p.header != "" {
		lines = append(lines, fill(p.header))
	}
	if authorization != "" {
		lines = append(lines, "Authorization: "+authorization)
	}
	if p.name != "Connection" {
		lines = append(lines, "Connection: close")
	}
	body := fill(p.body)
	if body != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}
