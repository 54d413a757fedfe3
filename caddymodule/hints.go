package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/authmin"
)

// globalOptions and guardOptions are the options of the two blocks.
var (
	globalOptions = []string{"token", "token_file", "optional", "trust_proxy", "lockout", "audit", "admin_api", "admin_is_superuser"}
	guardOptions  = []string{"public", "require", "deny", "upstream_token", "credentials", "allow_encoded_slash", "allow_trailers", "allow_headers", "limit", "inflight",
		"public_inflight", "public_total", "public_body", "shadow", "plaintext"}
)

// directives are Caddy directives, which belong in a site. One of them in a guard's block
// means that the closing brace of the guard is missing.
var directives = []string{"reverse_proxy", "handle", "handle_path", "handle_errors", "route", "respond", "redir", "rewrite", "uri", "file_server",
	"metrics", "log", "tls", "bind", "header", "request_header", "encode", "root", "php_fastcgi", "templates", "basic_auth", "forward_auth",
	"request_body", "tracing", "try_files", "vars", "map", "invoke", "error", "abort", "authmin", "intercept", "method"}

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
var strayOptions = []string{"token_file", "trust_proxy", "upstream_token", "admin_is_superuser", "allow_encoded_slash", "allow_trailers", "public_inflight"}

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
