package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// globalOptions and guardOptions are the options of the two blocks.
var (
	globalOptions = []string{"token", "token_file", "optional", "trust_proxy", "lockout", "audit", "admin_api", "admin_is_superuser", "body_memory", "budget", "state_dir"}
	guardOptions  = []string{"public", "require", "deny", "upstream_token", "credentials", "cors", "allow_encoded_slash", "allow_trailers", "allow_headers", "limit", "inflight",
		"public_inflight", "public_total", "public_body", "model_in", "model_free", "max_body", "models_at", "usage", "budget", "budget_reserve", "budget_fail", "shadow_budget", "token_only", "audit_summary", "shadow", "plaintext"}
)

// directives are Caddy directives, which belong in a site. One of them in a guard's block
// means that the closing brace of the guard is missing.
var directives = []string{"reverse_proxy", "handle", "handle_path", "handle_errors", "route", "respond", "redir", "rewrite", "uri", "file_server",
	"metrics", "log", "tls", "bind", "header", "request_header", "encode", "root", "php_fastcgi", "templates", "basic_auth", "forward_auth",
	"request_body", "tracing", "try_files", "vars", "map", "invoke", "error", "abort", "authmin", "authmin_page", "intercept", "method"}

const (
	inGlobal = "the global authmin block, at the top of the file: `{`, `authmin {`, and the option on its own line"
	inGuard  = "the block of the guard, in a site: `authmin {`, and the option on its own line"
)

// unknownOption is the error for an option that the block does not have. It names the
// block in which the option belongs, or the option that was probably meant.
func unknownOption(option, where string, known, elsewhere []string, place string) error {
	switch {
	case slices.Contains(elsewhere, option):
		return fmt.Errorf("%s is not an option of %s; it belongs in %s", option, where, place)
	case slices.Contains(directives, option) || strings.Contains(option, "://"):
		return fmt.Errorf("%s is not an option of %s; is the closing } of the block before it missing?", option, where)
	}
	suggestion := ""
	if near := authmin.NearestWord(option, known); near != "" {
		suggestion = "; did you mean " + near + "?"
	}
	last := len(known) - 1
	return fmt.Errorf("unknown option %s of %s%s; want %s or %s", option, where, suggestion, strings.Join(known[:last], ", "), known[last])
}

// strayOptions are options that an operator may write outside of their block. They are
// registered as directives and global options only to report where they belong; no other
// module is likely to use one of these names.
var strayOptions = []string{"token_file", "trust_proxy", "upstream_token", "admin_is_superuser", "allow_encoded_slash", "allow_trailers", "public_inflight", "model_in", "model_free", "body_memory", "budget_reserve", "shadow_budget", "audit_summary", "state_dir"}

func init() {
	for _, option := range strayOptions {
		httpcaddyfile.RegisterDirective(option, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
			h.Next()
			return nil, h.Errf("%v", strayOption(option))
		})
		httpcaddyfile.RegisterGlobalOption(option, func(d *caddyfile.Dispenser, _ any) (any, error) {
			d.Next()
			return nil, d.Errf("%v", strayOption(option))
		})
	}
}

func strayOption(option string) error {
	if slices.Contains(globalOptions, option) {
		return fmt.Errorf("%s belongs in %s", option, inGlobal)
	}
	return fmt.Errorf("%s belongs in %s", option, inGuard)
}

// unrecognized matches Caddy's errors about an unknown word.
var unrecognized = regexp.MustCompile(`unrecognized (directive|global option|subdirective):? '?([A-Za-z0-9_.:/-]+)`)

// WithHint adds the likely cause and the fix to an error of Caddy's parser.
func WithHint(err error) error {
	text := err.Error()
	if match := unrecognized.FindStringSubmatch(text); match != nil {
		word := match[2]
		switch {
		case slices.Contains(globalOptions, word) || slices.Contains(guardOptions, word):
			return fmt.Errorf("%s; %w", text, strayOption(word))
		case match[1] == "global option" && strings.ContainsAny(word, ":/"):
			return errors.New(text + "; is the closing } of the global options before it missing?")
		}
		if near := authmin.NearestWord(word, append([]string{AppName}, directives...)); near != "" && match[1] != "subdirective" {
			return fmt.Errorf("%s; did you mean %s?", text, near)
		}
	}
	switch {
	case strings.Contains(text, "{args["):
		return errors.New(text + "; the import of this snippet passes too few arguments: write them after its name")
	case strings.Contains(text, "File to import not found"):
		return errors.New(text + "; a snippet must be defined above its import: import its file at the top of this one, such as `import deploy/presets/ollama.caddyfile`")
	case strings.Contains(text, "expecting '}'"):
		return errors.New(text + "; a block is not closed: a } is missing before the end of the file")
	case strings.Contains(text, "as a site address, but it is a known directive"):
		return errors.New(text + "; there is one } too many before it, or a { is missing or not preceded by a space")
	}
	return err
}

// methodNames are the methods that the words of a rule are compared with.
var methodNames = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// CommonMethods returns the methods that rules commonly name.
func CommonMethods() []string { return slices.Clone(methodNames) }

// misreadRule finds words of a rule that would be parsed as something else than intended,
// such as a path as methods. Its errors name the fix.
func misreadRule(action string, args []string) error {
	for i, word := range args {
		if err := misreadWord(word, i == 0 && !strings.HasPrefix(word, "/")); err != nil {
			return err
		}
		if i == 0 && !strings.HasPrefix(word, "/") && action == "require" && !slices.Contains(methodNames, strings.ToUpper(word)) && word == strings.ToLower(word) {
			return fmt.Errorf("%q is not a method; several scopes are one word: `require infer,nodes /path`", word)
		}
		if i > 0 && slices.Contains(methodNames, strings.ToUpper(word)) {
			return errors.New("several methods are one word, before the paths: `GET,POST /path`")
		}
	}
	return nil
}

// misreadWord checks one word. The first may be methods.
func misreadWord(word string, first bool) error {
	switch {
	case strings.Contains(word, "{args["):
		return fmt.Errorf("%s has no value: the import of this snippet passes too few arguments", word)
	case strings.Contains(word, "{"):
		return fmt.Errorf("path %q: a rule is fixed when the gateway starts, so that placeholders are not replaced; write the path itself, or {$NAME}, which is replaced when the file is read", word)
	case strings.Contains(word, "://"):
		return fmt.Errorf("%q: write the path alone, such as /v1/*; the host is the site's", word)
	case strings.Contains(word, ",/"):
		return fmt.Errorf("%q: paths are separated by spaces, not by commas", word)
	case strings.HasSuffix(word, "*") && strings.HasPrefix(word, "/") && !strings.HasSuffix(word, "/*") && strings.Count(word, "*") == 1:
		return fmt.Errorf("path %q: * is allowed only after a slash; write %s/* for the paths below %s", word, strings.TrimSuffix(word, "*"), strings.TrimSuffix(word, "*"))
	case !first:
		return nil
	case strings.ContainsAny(word, "/*"):
		return fmt.Errorf("path %q does not begin with a slash; write /%s", word, word)
	case strings.HasSuffix(word, ","):
		return errors.New("several methods are one word, with commas and without spaces: GET,POST")
	case slices.Contains(methodNames, strings.ToUpper(word)) && word != strings.ToUpper(word):
		return fmt.Errorf("%q is not a method: methods are upper case; write %s", word, strings.ToUpper(word))
	}
	return nil
}
