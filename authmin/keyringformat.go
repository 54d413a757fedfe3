package authmin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A keyring file says with a line `# format 2` that it has attributes which older gateways
// do not know. To those it is a comment, and the attribute an error: they refuse the file
// rather than give a token more than its line says.
const formatLine2 = "# format 2\n"

// KeyringFormat is the newest format that [ParseKeyring] reads.
const KeyringFormat = 2

// keyringFormat returns what follows `# format` in a line, if that is a number: a comment
// may begin with these words, too.
func keyringFormat(line string) (number string, ok bool) {
	number, ok = strings.CutPrefix(line, "# format ")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return "", false
	}
	return number, true
}

// setFormat reads the line of the format.
func (p *keyringParser) setFormat(number string) error {
	switch {
	case p.format != 0:
		return errors.New("the format is given twice")
	case len(p.tokens) > 0:
		return errors.New("the format is given after the first token")
	case number == "1":
		p.format = 1
	case number == "2":
		p.format = 2
	default:
		return fmt.Errorf("format %s was written for a newer version; want 1 or 2", clip(number))
	}
	return nil
}

// setModels reads the attribute models of a token.
func (p *keyringParser) setModels(t *Token, list string) (err error) {
	if p.format < 2 {
		return errors.New("models needs a line `# format 2` before the first token")
	}
	models, ok := p.models[list]
	if !ok {
		if models, err = ParseModels(list); err != nil {
			return err
		}
		p.models[strings.Clone(list)] = models
	}
	t.Models = models
	return nil
}

// setBudgets reads the attribute budget of a token.
func (p *keyringParser) setBudgets(t *Token, list string) (err error) {
	if p.format < 2 {
		return errors.New("budget needs a line `# format 2` before the first token")
	}
	budgets, ok := p.budgets[list]
	if !ok {
		if budgets, err = ParseBudgets(list); err != nil {
			return err
		}
		p.budgets[strings.Clone(list)] = budgets
	}
	t.Budgets = budgets
	return nil
}

// needsFormat2 reports whether a token has attributes of format 2.
func needsFormat2(t Token) bool { return t.Models != nil || t.Budgets != nil }

// hasFormat2 reports whether the content of a keyring file names format 2.
func hasFormat2(content []byte) bool {
	for line := range bytes.Lines(content) {
		if number, _ := keyringFormat(string(bytes.TrimRight(line, "\r\n"))); number == "2" {
			return true
		}
		if line[0] != '#' && len(bytes.TrimSpace(line)) > 0 {
			return false // the first token
		}
	}
	return false
}
