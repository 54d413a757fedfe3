package authmin

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckStrength(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef" // 32 characters
	cases := map[string]struct {
		text, want string // a part of the message; "" for none
	}{
		"32 characters":                {good, ""},
		"a random token":               {RandomSecret().Reveal(), ""},
		"standard base64":              {"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83v+/==", ""},
		"the longest":                  {strings.Repeat("ab", MaxTokenLength/2), ""},
		"nothing":                      {"", "empty"},
		"31 characters":                {good[:31], "fewer than 32"},
		"31 characters and padding":    {good[:31] + "=", "fewer than 32"},
		"one character":                {"a", "fewer than 32"},
		"one byte over the limit":      {strings.Repeat("ab", MaxTokenLength/2) + "a", "limit"},
		"one character repeated":       {strings.Repeat("x", 40), "repeats"},
		"a shell variable":             {"${LLORCH_API_TOKEN_OF_THE_GATEWAY}", "placeholder"},
		"a shell variable, bare":       {"$LLORCH_API_TOKEN_OF_THE_GATEWAY_X", "placeholder"},
		"a Caddy placeholder":          {"{env.LLORCH_API_TOKEN_OF_GATEWAY}", "placeholder"},
		"a template":                   {"<your-token-goes-here-0123456789abc>", "placeholder"},
		"a Helm template":              {"{{.Values.token.of.the.gateway.x}}", "placeholder"},
		"a space":                      {good + " " + good, "character"},
		"a line end":                   {good + "\n", "character"},
		"a carriage return":            {good + "\r", "character"},
		"a NUL":                        {good + "\x00", "character"},
		"quotes":                       {`"` + good + `"`, "character"},
		"a colon":                      {"sha256:" + good, "character"},
		"a letter beyond ASCII":        {good + "é", "character"},
		"a byte order mark":            {"\ufeff" + good, "character"},
		"an equals sign in the middle": {good + "=" + good, "character"},
		"nothing but padding":          {strings.Repeat("=", 40), "character"},
		"white space":                  {strings.Repeat(" ", 40), "character"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckStrength(NewSecret(c.text))
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrWeakToken) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ErrWeakToken with %q", err, c.want)
			}
			if leaks(err.Error(), c.text) {
				t.Errorf("the error holds a part of the token: %v", err)
			}
		})
	}
}

// What is accepted at start must be accepted in a request, or the operator
// would hold a token that never works.
func TestStrongTokensCanBePresented(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-z0-9._~+/-]{20,60}={0,3}`),
			rapid.StringMatching(`[ -~]{30,34}`)).Draw(rt, "token")
		digest, presented := ParseBearer([]string{"Bearer " + text})
		if err := CheckStrength(NewSecret(text)); err == nil && (presented != PresentedToken || !digest.Equal(digestOf(text))) {
			rt.Fatalf("%q is strong but cannot be presented", text)
		}
	})
}
