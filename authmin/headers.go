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

// forbiddenHeaders are names that a client may not say to an upstream, folded:
// lower case, without the separators that CGI and proxies confuse. They name
// somebody (who that is, the gateway decides), or another method or target than
// the ones that the policy judged.
var forbiddenHeaders = map[string]bool{
	"xauthidentity": true, "xauthscopes": true,
	"remoteuser": true, "remotegroups": true, "remoteemail": true, "remotename": true,
	"xremoteuser": true, "xremotegroups": true, "xforwardeduser": true, "xforwardedemail": true,
	"xforwardedgroups": true, "xforwardedpreferredusername": true, "xforwardedaccesstoken": true,
	"xwebauthuser": true, "xauthrequestuser": true, "xauthrequestemail": true,
	"xauthrequestgroups": true, "xauthrequestpreferredusername": true, "xauthrequestaccesstoken": true,
	"proxy": true, "proxyauthorization": true,
	"xhttpmethod": true, "xhttpmethodoverride": true, "xmethodoverride": true,
	"xoriginalurl": true, "xoriginaluri": true, "xoriginalmethod": true, "xoriginalhost": true,
	"xrewriteurl": true, "xrewriteuri": true, "xforwardeduri": true, "xforwardedmethod": true,
	"xforwardedpath": true,
	// Near names of ours, and what other gateways say without a signature.
	"xauthid": true, "xauthuserid": true, "xauthname": true, "xauthemail": true, "xauthsubject": true, "xauthscope": true,
	"xauthrole": true, "xauthroles": true, "xauthgroup": true, "xauthgroups": true,
	"xforwardedname": true, "xforwardedlogin": true, "xforwardedroles": true, "xproxyuser": true, "xproxyremoteuser": true,
	"impersonateuser": true, "impersonategroup": true, "impersonateuid": true,
	"xauthenticatedscope": true, "xtokensubject": true, "xuserinfo": true, "xendpointapiuserinfo": true, "xapigatewayapiuserinfo": true,
	"xpomeriumclaimemail": true, "xpomeriumclaimuser": true, "xpomeriumclaimgroups": true,
	"xauthuser": true, "xauthusername": true, "xauthenticateduser": true, "xauthenticateduserid": true, "xauthenticatedgroups": true,
	"xconsumerid": true, "xconsumerusername": true, "xconsumercustomid": true, "xconsumergroups": true, "xcredentialidentifier": true,
	"xgoogauthenticateduseremail": true, "xgoogauthenticateduserid": true, "xamznoidcidentity": true,
	"xmsclientprincipal": true, "xmsclientprincipalname": true, "xmsclientprincipalid": true, "xmsclientprincipalidp": true,
	"cfaccessauthenticateduseremail": true, "tailscaleuserlogin": true, "tailscaleusername": true, "tailscaleuserprofilepic": true,
	"xvouchuser": true, "xauthentikusername": true, "xauthentikgroups": true, "xauthentikemail": true, "xauthentikname": true, "xauthentikuid": true,
	"xsslclientdn": true, "xsslclientsdn": true, "xsslclientcert": true, "xsslclientverify": true, "xforwardedclientcert": true,
	"sslclientdn": true, "sslclientsdn": true, "sslclientcert": true, "sslclientverify": true,
	"xclientdn": true, "xclientcert": true, "xclientverify": true, "xclientcertdn": true, "clientcert": true, "clientcertchain": true,
	// Other names of method and target, and of a middleware that has run.
	"httpmethodoverride": true, "xmethod": true, "xoverridemethod": true, "xoriginalpath": true, "xrewritepath": true, "xreplacedpath": true, "xenvoyoriginalpath": true,
	"xhost": true, "xhttphostoverride": true, "xproxyurl": true, "xarbitraryuri": true, "requesturi": true,
	"xoverrideurl": true, "xrequesturi": true, "xoriginalrequesturi": true, "xforwardedrequesturi": true, "xforwardedurl": true,
	"xforwardedprefix": true, "xhttpdestinationurl": true, "xhttppathoverride": true, "proxyurl": true, "proxyhost": true,
	"scriptname": true, "xscriptname": true, "xforwardedscriptname": true, "xmiddlewaresubrequest": true,
}

// forbiddenStarts has, for the first letter of those names, the letters that come
// second, as bits: most names of a request need no more than a look at their start.
var forbiddenStarts = func() (seconds [26]uint32) {
	for name := range forbiddenHeaders {
		seconds[name[0]-'a'] |= 1 << (name[1] - 'a')
	}
	return seconds
}()

// mayBeForbidden is false for a name that cannot be one of those, in any spelling.
func mayBeForbidden(name string) bool {
	first := -1
	for i := range len(name) {
		c := name[i]
		if c >= '0' && c <= '9' {
			return false
		}
		letter := int(c|0x20) - 'a'
		if letter < 0 || letter >= 26 {
			continue
		}
		if first >= 0 {
			return forbiddenStarts[first]&(1<<letter) != 0
		}
		first = letter
	}
	return false
}

// SanitizeHeader removes from a request what a client may not say to an
// upstream, whatever the policy decides: identity headers in every spelling,
// other methods and targets, and the names in Connection that would make the
// next proxy remove headers after the decision (RFC 9110 §7.6.1).
func SanitizeHeader(h http.Header) {
	var buf [longestFolded]byte
	for name := range h {
		if mayBeForbidden(name) && forbiddenHeaders[string(fold(&buf, name))] {
			delete(h, name)
		}
	}
	cutConnection(h)
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
