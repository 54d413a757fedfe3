// Package cli has the commands of `authmin`: they make and revoke the tokens of a
// keyring file, and check, explain and test an access policy before it is loaded and
// while it runs. To import the package is to register them with Caddy:
//
//	import _ "github.com/llorch/gateway/caddymodule/cli"
//
// No command takes a token as an argument, since every user of a machine can read the
// arguments of its processes. Only `token new` and `token rotate` print one, once. What
// programs read goes to stdout, what people read goes to stderr, and an error names a
// secret's place and not its value: see [settings] for how the values of {$NAME} are kept
// out of a parser's errors.
//
// # What it is not
//
// Nothing here decides a request, and nothing here refuses a configuration. The rules
// by which a start is refused are in package caddymodule ([caddymodule.Config.Faults]),
// and the decisions are in package authmin. The commands call the same functions on a
// configuration that they have read, and find the line of the Caddyfile for each
// answer. So a command cannot disagree with the gateway.
//
// # Themes
//
// The command line: command.go (the group `authmin`, and errors that repeat no
// argument), settings.go (reads a Caddyfile or JSON), statements.go (splits a Caddyfile
// into statements with their lines).
//
// Tokens: token.go (new, rotate, revoke), token_list.go (list, fingerprint),
// token_when.go (durations and times of flags), token_scopes.go (warns of misspelled
// scopes), token_edit.go (finds and edits the keyring file), token_confirm.go (waits until
// the running gateway has the change), mounts.go (finds processes that still have the old
// file mounted).
//
// What a configuration leaves open: lint.go runs all that follows. lint_faults.go
// (faults that a start refuses), lint_guards.go and lint_rules.go (guards and rules that
// let through more than they seem to), lint_scopes.go (scopes that no token has),
// lint_secrets.go and lint_braces.go (secrets and braces in the text), lint_locate.go
// (finds lines by leaving statements out, one at a time).
//
// One request, in words: explain.go and explain_guard.go (which rule decides, and why),
// policytest.go (`test`: a file of expected decisions).
//
// The machine: doctor.go with doctor_config.go (listeners, admin endpoint),
// doctor_files.go (secrets, keyrings, file modes) and doctor_host.go (tunnels, open
// ports of engines).
//
// Everything at once: check.go and check_validate.go (lint, doctor, and a start without
// opening a port).
//
// The audit trail: audit.go (verifies the chain of a file), usage.go with usage_sums.go and
// usage_write.go (adds up the tokens of calls).
//
// While the gateway runs: reload.go (what a reload cannot change), unguarded.go (warns
// at a start without any guard).
package cli
