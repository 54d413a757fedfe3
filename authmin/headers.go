package authmin

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// The headers in which a gateway tells a backend who is asking. They are
// believed only beside the gateway's own credential.
const (
	HeaderIdentity = "X-Auth-Identity"
	HeaderScopes   = "X-Auth-Scopes"
)

// longestFolded bounds what is compared of a header name; no name or prefix of
// ours is as long.
const longestFolded = 64

// SanitizeHeader removes from a request what a client may not say to an
// upstream, whatever the policy decides: identity, forwarding and impersonation
// headers in every spelling, other methods and targets, and the names in Connection
// that would make the next proxy remove headers after the decision (RFC 9110
// §7.6.1).
func SanitizeHeader(h http.Header) { HeaderExceptions(nil).Sanitize(h) }

// Sanitize is [SanitizeHeader] with exceptions. They pass in one spelling, and once:
// of several lines an upstream may take any.
func (e HeaderExceptions) Sanitize(h http.Header) {
	for name, lines := range h {
		if mustGo(name) && (!e[name] || len(lines) != 1) {
			delete(h, name)
		}
	}
	cutConnection(h)
}

// SanitizeForwarded removes the fields that a proxy says of its client, from a
// request whose peer is no proxy of the operator's.
func (e HeaderExceptions) SanitizeForwarded(h http.Header) {
	for name := range proxyFields {
		if !e[name] {
			delete(h, name)
		}
	}
}

// cutConnection reduces Connection to the options that concern this hop only.
func cutConnection(h http.Header) {
	lines, ok := h["Connection"]
	if !ok {
		return
	}
	if len(lines) == 1 && isHopOption(lines[0]) {
		return
	}
	var kept []string
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.ToLower(strings.Trim(option, " \t"))
			if isHopOption(option) && !slices.Contains(kept, option) {
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

func isHopOption(option string) bool {
	switch strings.ToLower(option) {
	case "close", "keep-alive", "upgrade", "te":
		return true
	}
	return false
}

// forwardingPrefixes begin the folded names of headers that a proxy or a tunnel
// adds. A request that has one did not come from a local client.
var forwardingPrefixes = []string{
	"xforward", "forward", "zforwarded", "xoriginal", "xproxied", "xauth", "proxy", "wlproxy", "xscheme", "xurlscheme", "frontend",
	"xrealip", "xrealport", "xclientip", "xclusterclientip", "xsourceip", "xremote", "remoteaddr", "remotehost",
	"clientip", "xoriginatingip", "trueclientip", "trueip", "via", "cf", "cloudfront", "cdn", "fastly", "fly", "xazure", "xarr", "xamz", "xamzn",
	"xappengine", "xcloudtrace", "xenvoy", "xtailscale", "tailscale", "ngrok", "xngrok",
	"xvercel", "xnf", "akamai", "xakamai", "incap", "xsucuri", "xhost", "xproxy", "xvarnish",
	"xkong", "xtraefik", "xhaproxy", "xbluecoat", "ximforwards", "xistio", "xlinkerd", "l5d", "xlb", "xedge", "xiinfo", "xcdn", "alicdn",
	"xgateway", "xgeo", "geoip", "xcountry", "xip", "xfromip", "xpeerip", "xuserip", "remoteip", "cuda", "httpx", "httpclient", "httpvia",
	"xclientcert", "xclientdn", "xclientverif", "xclientssl", "sslclient", "xssl", "xrequeststart", "xqueuestart", "xmsclientprincipal", "xgoog",
	"xserverless", "xreplit", "xrailway", "xrender", "rndr", "xvcap", "xcloudfront", "xcodespaces", "xgitpod", "xgithub",
	"xzrok", "zrok", "xlocaltunnel", "xpinggy",
	"xnginx", "xtunnel", "xingress", "xscriptname", "clientcert", "surrogate", "maxforwards",
	"earlydata", // RFC 8470 §5.1: only an intermediary says it
}

// forwardingWords stand in the folded names by which many a product says whose
// request it passes on: Pragma-Client-IP, Do-Connecting-IP, X-Custom-IP-Authorization.
var forwardingWords = []string{"forwarded", "clientip", "realip", "trueip", "customip", "connectingip", "remoteip", "remoteaddr"}

// HasForwardingHeader reports whether any header, in any spelling, says that the
// request came through a proxy or a tunnel.
func HasForwardingHeader(h http.Header) bool {
	var buf [longestFolded]byte
	for name := range h {
		folded := fold(&buf, name)
		for _, prefix := range forwardingPrefixes {
			if len(folded) >= len(prefix) && string(folded[:len(prefix)]) == prefix {
				return true
			}
		}
		for _, word := range forwardingWords {
			if bytes.Contains(folded, []byte(word)) {
				return true
			}
		}
	}
	return false
}

// fold writes a header name in lower case and without `-`, `_` and `.`. Of a name
// that is longer than any of ours it gives the beginning.
func fold(buf *[longestFolded]byte, name string) []byte {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			continue
		}
		if n == len(buf) {
			return buf[:]
		}
		buf[n] = c
		n++
	}
	return buf[:n]
}
