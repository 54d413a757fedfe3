package authmin

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// FormatKeyring is the inverse of [ParseKeyring], without comments.
func FormatKeyring(tokens []Token) []byte {
	var b []byte
	if slices.ContainsFunc(tokens, needsFormat2) {
		b = append(b, formatLine2...)
	}
	for i := range tokens {
		b = appendKeyringLine(b, &tokens[i])
	}
	return fmt.Appendf(b, "# end %d\n", len(tokens))
}

// appendKeyringLine adds the line of a token.
func appendKeyringLine(b []byte, t *Token) []byte {
	b = fmt.Appendf(b, "%s sha256:%s %s", t.Name, t.digest.Hex(), JoinScopes(t.Scopes, ","))
	for _, field := range []struct {
		name string
		at   int64
	}{{"created", t.Created}, {"not_before", t.NotBefore}, {"expires", t.Expires}} {
		if field.at != 0 {
			b = fmt.Appendf(b, " %s=%s", field.name, time.Unix(field.at, 0).UTC().Format(time.RFC3339))
		}
	}
	if t.Revoked {
		b = append(b, " state=revoked"...)
	}
	if t.Models != nil {
		b = append(append(b, " models="...), t.Models.String()...)
	}
	if t.Budgets != nil {
		b = append(append(b, " budget="...), JoinBudgets(t.Budgets)...)
	}
	return append(b, '\n')
}

// WriteKeyringFile checks tokens as a gateway would and replaces the file with one
// rename: a reader sees the old file or the new one, and a crash leaves one of the
// two. A new file is readable by its owner only.
func WriteKeyringFile(path string, tokens []Token) error {
	content := FormatKeyring(tokens)
	parsed, err := ParseKeyring(content)
	if err == nil {
		_, err = NewKeyring(parsed)
	}
	if err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	return replaceKeyring(path, content)
}

// syncDir makes a rename in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	return nil
}
