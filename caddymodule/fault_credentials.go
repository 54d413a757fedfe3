package caddymodule

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func init() {
	faultChecks = append(faultChecks, copiedCredentials)
}

// carried finds placeholders for a field of a request or a response: in braces, in an
// expression or in a template, in the JSON form and in the Caddyfile's short form.
var carried = regexp.MustCompile("(?i)[{\"'`]\\s*(?:http\\.[a-z_]+(?:\\.[a-z_]+)?\\.|resp\\.)?(header|cookie|query)\\.([A-Za-z0-9_.\\-]+)")

// inTemplate finds template expressions for a request's header or cookie.
var inTemplate = regexp.MustCompile(`(?i)\.(?:OriginalReq|Req)\.(?:Header|Cookies?)\b|\{\{[^}]*\.Cookie\b`)

// source finds placeholders that read a secret of the configuration.
var source = regexp.MustCompile(`\{((?:env|file)\.[^{}]+)\}`)

// captured finds placeholders for a capture of a regular expression.
var captured = regexp.MustCompile(`http\.regexp\.([A-Za-z0-9_\-]+)`)

// copiedCredentials finds handlers and logs that copy a credential to a place where it
// can be read: a response, another header, a log line, the path.
func copiedCredentials(in *inspection) []Fault {
	c := credentials{sources: in.sourcesOfTokens(), captures: in.capturesOfCredentials()}
	var faults []Fault
	for _, h := range in.handlers {
		if h.name == AppName {
			continue
		}
		what := c.in(textsOf(h.doc))
		if h.name == "templates" || h.name == "static_response" {
			what = append(what, templatesIn(textsOf(h.doc))...)
		}
		for _, shown := range what {
			faults = append(faults, faultf(in.severityOn(h.server), h.server,
				"%s copies %s, which holds a credential, to where others can read it; remove it, and use {http.auth.user.id} for the identity", h.directive(), shown))
		}
	}
	for _, m := range in.matchers {
		for _, shown := range c.in(matcherTexts(m)) {
			faults = append(faults, faultf(in.severityOn(m.server), m.server,
				"a matcher reads %s, which holds a credential; remove it, and let a rule of the guard decide", shown))
		}
	}
	logging, _ := json.Marshal(in.Caddy.Logging)
	for _, shown := range c.in(textsOf(decoded(logging))) {
		faults = append(faults, faultf(in.severityAnywhere(), "", "a log shows %s, which holds a credential; remove it", shown))
	}
	return faults
}

// credentials lists the placeholders that contain a credential in one configuration.
type credentials struct {
	sources  []string // env.NAME and file.PATH of its tokens
	captures []string // names of regular expressions that match on a credential
}

// in lists the placeholders in some texts that show a credential, each once.
func (c *credentials) in(texts []string) (found []string) {
	for _, text := range texts {
		for _, match := range carried.FindAllStringSubmatch(text, -1) {
			if strings.EqualFold(match[1], "cookie") || credentialName(match[2]) {
				found = append(found, "{"+strings.ToLower(match[1])+"."+match[2]+"}")
			}
		}
		for _, match := range source.FindAllStringSubmatch(text, -1) {
			if slices.Contains(c.sources, match[1]) {
				found = append(found, match[0])
			}
		}
		for _, match := range captured.FindAllStringSubmatch(text, -1) {
			if slices.Contains(c.captures, match[1]) || slices.Contains(c.captures, "") {
				found = append(found, "{re."+match[1]+"}")
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func templatesIn(texts []string) []string {
	for _, text := range texts {
		if shown := inTemplate.FindString(text); shown != "" {
			return []string{shown + " of a template"}
		}
	}
	return nil
}

// credentialWords are words in the name of a header, a cookie or a query parameter
// that holds a credential.
var credentialWords = []string{"authorization", "auth", "cookie", "cookie2", "token", "secret", "password", "passwd", "passphrase",
	"apikey", "credential", "credentials", "bearer", "jwt", "key", "accesstoken", "authtoken", "idtoken", "csrf", "assertion"}

// harmlessKeys are names that have such a word and hold no credential.
var harmlessKeys = []string{"idempotency-key", "sec-websocket-key", "cache-key", "surrogate-key", "x-idempotency-key", "x-cache-key"}

// credentialName reports whether a field of this name holds a credential, in any
// spelling: Authorization, Cookie, X-Api-Key, X-Amz-Security-Token, api_key.
func credentialName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
	if slices.Contains(harmlessKeys, name) || identityName(name) {
		return false
	}
	words := strings.Split(name, "-")
	if slices.ContainsFunc(words, func(word string) bool { return slices.Contains(credentialWords, word) }) {
		return true
	}
	folded := strings.Join(words, "")
	return slices.ContainsFunc([]string{"apikey", "authorization", "accesstoken", "authtoken"}, func(end string) bool { return strings.HasSuffix(folded, end) })
}

// sourcesOfTokens are the placeholders by which this configuration reads tokens.
func (in *inspection) sourcesOfTokens() []string {
	list := []string{"env.LLORCH_UPSTREAM_TOKEN"}
	if !in.App.configured {
		list = append(list, "env."+EnvToken, "env."+EnvTokenAlias)
	}
	add := func(text string) {
		if kind, name, err := SplitSource(text); err == nil {
			list = append(list, kind+"."+name)
		}
	}
	for _, token := range in.App.Tokens {
		add(token.Source)
	}
	for _, h := range in.handlers {
		if text, ok := h.doc["upstream_token"].(string); ok && h.name == AppName {
			add(text)
		}
	}
	return list
}

// credentialPattern finds a CEL matcher with a regular expression on a header.
var credentialPattern = regexp.MustCompile(`header_regexp\(([^)]*)\)`)

// capturesOfCredentials are the names of regular expressions on a header with a
// credential. "" stands for all, where the name is not known.
func (in *inspection) capturesOfCredentials() (names []string) {
	for _, m := range in.matchers {
		for _, text := range textsOf(decoded(m.set["expression"])) {
			for _, match := range credentialPattern.FindAllStringSubmatch(text, -1) {
				if slices.ContainsFunc(strings.FieldsFunc(match[1], func(c rune) bool { return strings.ContainsRune(`'"`+"`, ", c) }), credentialName) {
					names = append(names, "")
				}
			}
		}
		fields, _ := decoded(m.set["header_regexp"]).(map[string]any)
		for field, pattern := range fields {
			if !credentialName(field) {
				continue
			}
			doc, _ := pattern.(map[string]any)
			name, _ := doc["name"].(string)
			names = append(names, name)
			for i := range 10 { // as it is called when it has no name
				names = append(names, fmt.Sprint(i))
			}
		}
	}
	return names
}

// matcherTexts are the texts of a set of matchers, except those of header matchers: a
// match on a header copies nothing.
func matcherTexts(m placedMatcher) (texts []string) {
	for name, raw := range m.set {
		if name != "header" && name != "header_regexp" {
			texts = append(texts, textsOf(decoded(raw))...)
		}
	}
	return texts
}
