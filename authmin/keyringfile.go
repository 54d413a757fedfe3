package authmin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Bounds of a keyring file. A line of the longest name, all scopes, all times and the
// longest lists of models and budgets stays under its limit.
const (
	maxKeyringLine = 4 << 10
	maxKeyringSize = 256 << 20
)

// ErrKeyringFile is wrapped by every error of a keyring file. The messages name the
// line and never repeat its text, which could be a token.
var ErrKeyringFile = errors.New("reading keyring")

// keyringForbidden are the mode bits that a keyring file must not have: only its
// owner writes, only owner and group read. Hashes of long random tokens cannot be
// reversed, but names and scopes are not public, and a user who can write the file
// can add a token.
const keyringForbidden os.FileMode = 0o027

// ReadKeyringFile reads and checks a keyring file. The format is a line a token,
//
//	NAME sha256:HEX SCOPE[,SCOPE…] [created=T] [not_before=T] [expires=T] [state=active|revoked] [models=PATTERN[,PATTERN…]] [budget=BUDGET[,BUDGET…]]
//
// with T in RFC 3339, comments that begin with #, and as its last line
// `# end N`, N being the number of tokens: a cut file is no keyring. An attribute after
// state needs a line `# format 2` before the first token.
func ReadKeyringFile(path string) ([]Token, error) {
	tokens, _, err := ReadKeyringGeneration(path)
	return tokens, err
}

// ReadKeyringGeneration is [ReadKeyringFile], and returns the SHA-256 of the
// file's content. `authmin token` asks a gateway by it whether it has loaded a
// change.
func ReadKeyringGeneration(path string) (tokens []Token, generation Digest, err error) {
	content, err := readBounded(path, maxKeyringSize, keyringForbidden, checkOwner)
	if err != nil {
		return nil, Digest{}, fmt.Errorf("%w: %w", ErrKeyringFile, err)
	}
	if tokens, err = ParseKeyring(content); err != nil {
		return nil, Digest{}, fmt.Errorf("%s: %w", path, err)
	}
	return tokens, sha256.Sum256(content), nil
}

// ParseKeyring reads the content of a keyring file; see [ReadKeyringFile].
func ParseKeyring(content []byte) ([]Token, error) {
	p := keyringParser{scopes: map[string][]Scope{}, models: map[string]*Models{}, budgets: map[string][]Budget{}}
	if bytes.HasPrefix(content, []byte("\ufeff")) {
		return nil, fmt.Errorf("%w: line 1 begins with a byte order mark; save the file as plain UTF-8", ErrKeyringFile)
	}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrKeyringFile, number, err)
		}
	}
	if !p.ended {
		return nil, fmt.Errorf("%w: the last line is not `# end %d`; the file was truncated, or edited by hand", ErrKeyringFile, len(p.tokens))
	}
	return p.tokens, nil
}

// blanks separate fields. Other white space looks like none, or like a line end, so
// the field that holds it is refused.
const blanks = " \t"

// keyringParser is the state of parsing one file. Few lists of scopes, models or budgets differ,
// so tokens with equal lists share one.
type keyringParser struct {
	tokens  []Token
	scopes  map[string][]Scope
	models  map[string]*Models
	budgets map[string][]Budget
	format  int // of the line that names it; 0 without one
	ended   bool
}

func (p *keyringParser) line(raw []byte) error {
	if p.ended {
		return errors.New("text after the end line, which is the last one and names the number of tokens")
	}
	if len(raw) > maxKeyringLine {
		return fmt.Errorf("longer than %d bytes", maxKeyringLine)
	}
	text, whole := strings.CutSuffix(string(raw), "\n")
	text = strings.TrimSuffix(text, "\r")
	if count, ok := strings.CutPrefix(text, "# end "); ok && whole {
		if count != strconv.Itoa(len(p.tokens)) {
			return fmt.Errorf("the end line does not name %d tokens, which the file has; the file was truncated, or edited by hand", len(p.tokens))
		}
		p.ended = true
		return nil
	}
	if format, ok := keyringFormat(text); ok {
		return p.setFormat(format)
	}
	if strings.HasPrefix(text, "#") || strings.Trim(text, blanks) == "" {
		return nil
	}
	if len(p.tokens) == MaxTokens {
		return fmt.Errorf("more than %d tokens", MaxTokens)
	}
	token, err := p.token(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(blanks, r) }))
	if err != nil {
		return err
	}
	p.tokens = append(p.tokens, token)
	return nil
}

func (p *keyringParser) token(fields []string) (Token, error) {
	const positional, most = 3, 9
	if len(fields) < positional || len(fields) > most {
		return Token{}, errors.New("want NAME sha256:HEX SCOPE[,SCOPE…]")
	}
	t := Token{Name: strings.Clone(fields[0])}
	if err := CheckTokenName(t.Name); err != nil {
		return Token{}, err
	}
	digits, ok := strings.CutPrefix(fields[1], "sha256:")
	if !ok {
		return Token{}, errors.New("the second field is not sha256:HEX; a keyring file holds hashes, never tokens")
	}
	var err error
	if t.digest, err = ParseDigest(digits); err != nil {
		return Token{}, err
	}
	if t.Scopes, ok = p.scopes[fields[2]]; !ok {
		if t.Scopes, err = ParseScopes(fields[2]); err != nil {
			return Token{}, err
		}
		p.scopes[fields[2]] = t.Scopes
	}
	for i, field := range fields[positional:] {
		key, value, _ := strings.Cut(field, "=")
		for _, earlier := range fields[positional : positional+i] {
			if strings.HasPrefix(earlier, key+"=") {
				return Token{}, fmt.Errorf("%s is given twice", clip(key))
			}
		}
		switch key {
		case "models":
			err = p.setModels(&t, value)
		case "budget":
			err = p.setBudgets(&t, value)
		default:
			err = t.setField(key, value)
		}
		if err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

func (t *Token) setField(key, value string) error {
	var at *int64
	switch key {
	case "created":
		at = &t.Created
	case "not_before":
		at = &t.NotBefore
	case "expires":
		at = &t.Expires
	case "state":
		t.Revoked = value == "revoked"
		if !t.Revoked && value != "active" {
			return errors.New("state is neither active nor revoked")
		}
		return nil
	default:
		return errors.New("unknown field; want created, not_before, expires, state, models or budget")
	}
	when, err := time.Parse(time.RFC3339, value)
	if err != nil || when.Unix() <= 0 {
		return fmt.Errorf("%s is not an RFC 3339 time such as 2026-12-31T00:00:00Z", key)
	}
	*at = when.Unix()
	return nil
}
