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
	HeaderModels   = "X-Auth-Models" // as [Models.String] writes them; absent: none
)

// longestFolded is how many characters of a header name are compared; no prefix of
// ours is as long.
const longestFolded = 64

// SanitizeHeader removes from a request, whatever the policy decides, the headers
// that a client must not send to an upstream: identity, forwarding and
// impersonation headers in every spelling, other methods and targets, and the
// options of Connection that would make the next proxy remove headers after the
// decision (RFC 9110 §7.6.1).
func SanitizeHeader(h http.Header) { HeaderExceptions(nil).Sanitize(h) }

// Sanitize is [SanitizeHeader] with exceptions. They pass in one spelling, and once:
// of several lines an upstream may take any.
func (e HeaderExceptions) Sanitize(h http.Header) {
	for name, lines := range h {
		if isForbidden(name) && (!e[name] || len(lines) != 1) {
			delete(h, name)
		}
	}
	cutConnection(h)
}

// SanitizeForwarded removes the fields by which a proxy names its client. It is for
// requests whose peer is not a trusted proxy.
func (e HeaderExceptions) SanitizeForwarded(h http.Header) {
	for name := range proxyFields {
		if !e[name] {
			delete(h, name)
		}
	}
}

// cutConnection reduces Connection to options that are about this hop only.
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

// forwardingPrefixes begin the folded names of headers that proxies and tunnels
// add. A request with one of them did not come from a local client.
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
	"earlydata", // RFC 8470 §5.1: only an intermediary sends it
}

// forwardingWords occur in the folded names of products' own forwarding headers:
// Pragma-Client-IP, Do-Connecting-IP, X-Custom-IP-Authorization.
var forwardingWords = []string{"forwarded", "clientip", "realip", "trueip", "customip", "connectingip", "remoteip", "remoteaddr"}

// HasForwardingHeader reports whether any header, in any spelling, shows that the
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

// fold returns a header name in lower case without `-`, `_` and `.`, truncated to
// longestFolded characters.
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
