package caddymodule

import (
	"fmt"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// keyringText is a whole keyring file of these lines.
func keyringText(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String() + fmt.Sprintf("# end %d\n", len(lines))
}

// keyringLine is the line of one token.
func keyringLine(name, token, rest string) string {
	return strings.TrimSpace(fmt.Sprintf("%s sha256:%s %s", name, authmin.NewSecret(token).Digest().Hex(), rest))
}
