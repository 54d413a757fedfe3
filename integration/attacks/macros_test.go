package attacks_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The tokens of fixtures.json. They guard nothing but this test's gateway.
const (
	tokenOK      = "amt_3f9c1b7e5d2a48c06f1e9b3d7a5c2e80"
	tokenAdmin   = "amt_b0d4e6f8a1c35791d2e4f6a8b0c1d3e5"
	tokenBad     = "amt_00000000000000000000000000000000"
	tokenExpired = "amt_eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	tokenRevoked = "amt_dddddddddddddddddddddddddddddddd"
	tokenFuture  = "amt_cccccccccccccccccccccccccccccccc"
)

var fixtureTokens = map[string]string{
	"T_OK":       tokenOK,
	"T_ADMIN":    tokenAdmin,
	"T_BAD":      tokenBad,
	"T_EXPIRED":  tokenExpired,
	"T_REVOKED":  tokenRevoked,
	"T_FUTURE":   tokenFuture,
	"T_OK_SHORT": tokenOK[:len(tokenOK)-1],
	"T_OK_UPPER": strings.ToUpper(tokenOK),
}

var (
	macro = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

	// lengthMark stands for {{LEN}} until the body behind it is known.
	lengthMark = "\x00LEN\x00"
)

// expand turns the text of a case into the bytes for the wire.
func expand(raw, address string) ([]byte, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var unknown error
	text := macro.ReplaceAllStringFunc(raw, func(m string) string {
		value, err := expandOne(m[2:len(m)-2], address, port)
		if err != nil {
			unknown = err
		}
		return value
	})
	if unknown != nil {
		return nil, unknown
	}
	wire, err := latin1(text)
	if err != nil {
		return nil, err
	}
	if mark := []byte(lengthMark); strings.Contains(string(wire), lengthMark) {
		_, body, _ := strings.Cut(string(wire), "\r\n\r\n")
		wire = []byte(strings.Replace(string(wire), string(mark), strconv.Itoa(len(body)), 1))
	}
	return wire, nil
}

func expandOne(name, address, port string) (string, error) {
	parts := strings.Split(name, ":")
	token := fixtureTokens[parts[len(parts)-1]]
	sum := sha256.Sum256([]byte(token))
	switch {
	case name == "HOST":
		return address, nil
	case name == "PORT":
		return port, nil
	case name == "LEN":
		return lengthMark, nil
	case len(parts) == 1 && token != "":
		return token, nil
	case parts[0] == "FP6" && token != "":
		return hex.EncodeToString(sum[:3]), nil
	case parts[0] == "SHA256" && token != "":
		return hex.EncodeToString(sum[:]), nil
	case parts[0] == "B64" && token != "" && len(parts) == 3:
		return base64.StdEncoding.EncodeToString([]byte(parts[1] + ":" + token)), nil
	case parts[0] == "REPEAT" && len(parts) >= 3:
		n, err := strconv.Atoi(parts[len(parts)-1])
		return strings.Repeat(strings.Join(parts[1:len(parts)-1], ":"), n), err
	}
	return "", fmt.Errorf("unknown macro {{%s}}", name)
}

func latin1(text string) ([]byte, error) {
	wire := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("%U is not one byte", r)
		}
		wire = append(wire, byte(r))
	}
	return wire, nil
}

func TestExpand(t *testing.T) {
	cases := map[string]string{
		"{{HOST}} {{PORT}}":                    "192.0.2.1:80 80",
		"{{T_OK_SHORT}}":                       "amt_3f9c1b7e5d2a48c06f1e9b3d7a5c2e8",
		"{{FP6:T_BAD}}":                        "9f1aea",
		"{{B64:x:T_BAD}}":                      "eDphbXRfMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
		"{{REPEAT:a:b:2}}":                     "a:ba:b",
		"L: {{LEN}}\r\n\r\nab{{REPEAT:c:3}}é":  "L: 6\r\n\r\nabccc\xe9",
		"no macro: {env.X} {{}} \x00 and \x7f": "no macro: {env.X} {{}} \x00 and \x7f",
	}
	for raw, want := range cases {
		if got, err := expand(raw, "192.0.2.1:80"); err != nil || string(got) != want {
			t.Errorf("expand(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"{{T_NONE}}", "{{FP6:X}}", "{{REPEAT:a:x}}", "文"} {
		if got, err := expand(raw, "192.0.2.1:80"); err == nil {
			t.Errorf("expand(%q) = %q, want an error", raw, got)
		}
	}
}
