package authmin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Headers that name the caller, its address, or the user it acts for come in
// families: every gateway and framework adds names of its own, so no list is
// complete. They are recognized by prefixes and by words, after [fold].

// targetPrefixes begin headers that name another method or target than those that
// the policy judged, or a middleware that has run. No option lets them pass.
var targetPrefixes = []string{
	"xhttpmethod", "httpmethod", "xmethod", "xoverride", "xoriginal", "xrewrit", "xreplaced", "xrequesturi", "requesturi",
	"xmiddleware", "xinvoke", "xmatchedpath", "xarbitrary", "xhttppath", "xhttpdestination", "xhttphost", "xhost", "scriptname", "xscriptname",
	"xforwardeduri", "xforwardedurl", "xforwardedmethod", "xforwardedpath", "xforwardedrequesturi", "xforwardedscriptname", "xenvoyoriginal",
	"xaccel", "xsendfile", // Rack reads it as a file to send
	"proxy", "xproxyurl", // https://httpoxy.org
}

// identityPrefixes begin headers that name the caller or the user it acts for.
var identityPrefixes = []string{
	"xuser", "xauth", "xremote", "remote", "impersonat", "ximpersonat", "xwebauth", "xidentity", "xprincipal", "xsubject", "xclaim",
	"xconsumer", "xcredential", "xemail", "xgroup", "xrole", "xlogin", "xaccount", "xactor", "xactas", "actas", "xcaller", "xdelegat",
	"xonbehalf", "onbehalf", "xrunas", "runas", "xsudo", "xadmin", "xisadmin", "xprivilege", "xpermission", "xentitlement", "xscope", "xtenant",
	"xjwt", "xoidc", "oidc", "xsaml", "saml", "xshib", "shib", "xldap", "xkerberos", "xsso", "xtokensub", "xtokenclaim", "xtokenuser", "xtokenscope",
	"xpomerium", "xvouch", "xhasura", "xendpointapi", "xapigatewayapi", "xamznoidc", "xmsclientprincipal", "xmstoken", "xgoogauthenticated", "xgoogiap",
	"cfaccess", "tailscale", "xtailscale", "xappengineuser", "xssl", "ssl", "xclientcert", "xclientdn", "xclientverif", "xclientssl", "clientcert",
	"xproxy",
}

// addressPrefixes begin headers that name the address a request comes from.
var addressPrefixes = []string{
	"xforward", "forward", "zforwarded", "xproxied", "xreal", "xenvoy", "xoriginating", "xsourceip", "trueclient", "cfconnecting", "cfpseudo",
	"xscheme", "xurlscheme", "frontend", "xappengine", "xclusterclient", "xazureclient", "xazuresocket",
}

// familyWords mark a header of these families wherever they occur in its name:
// Fastly-Client-IP, X-OpenWebUI-User-Email, X-Vendor-Authenticated-Groups.
var familyWords = func() (words []familyWord) {
	for _, word := range strings.Fields(`clientip realip trueip customip connectingip remoteip remoteaddr sourceip srcip originatingip socketip peerip
		userip fromip forwarded username userid useremail userrole usergroup userinfo userlogin userdn remoteuser authuser authenticated impersonat
		principal onbehalfof clientdn clientsdn clientcert clientverif methodoverride overridemethod`) {
		words = append(words, familyWord{[]byte(word), lettersOf([]byte(word))})
	}
	return words
}()

// familyWord is a word with the letters in it: a name that lacks one of them is not
// searched.
type familyWord struct {
	word    []byte
	letters uint32
}

func lettersOf(folded []byte) (letters uint32) {
	for _, c := range folded {
		if c >= 'a' && c <= 'z' {
			letters |= 1 << (c - 'a')
		}
	}
	return letters
}

// familyPrefixes are all prefixes by their first two letters.
var familyPrefixes = func() map[[2]byte][]string {
	by := map[[2]byte][]string{}
	for _, prefixes := range [][]string{identityPrefixes, addressPrefixes, targetPrefixes} {
		for _, prefix := range prefixes {
			start := [2]byte{prefix[0], prefix[1]}
			by[start] = append(by[start], prefix)
		}
	}
	return by
}()

// proxyFields belong to a forwarding family and pass in exactly this spelling, since
// Caddy's proxy replaces them unless they come from one of its trusted_proxies.
var proxyFields = map[string]bool{"X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true}

// commonFields belong to no family. They are nearly all fields of real requests, so
// the search for prefixes and words runs for few.
var commonFields = func() map[string]bool {
	common := map[string]bool{}
	for _, name := range strings.Fields(`Accept Accept-Encoding Accept-Language Authorization Cache-Control Connection Content-Encoding Content-Length
		Content-Type Cookie Dnt Expect Host Idempotency-Key If-Match If-Modified-Since If-None-Match Last-Event-Id Origin Pragma Priority Range Referer
		Sec-Ch-Ua Sec-Ch-Ua-Mobile Sec-Ch-Ua-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Te Trailer Traceparent Tracestate
		Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Via X-Api-Key X-Correlation-Id X-Request-Id X-Requested-With X-Session-Id
		Anthropic-Version Anthropic-Beta Openai-Organization Openai-Project X-Stainless-Arch X-Stainless-Lang X-Stainless-Os X-Stainless-Package-Version
		X-Stainless-Retry-Count X-Stainless-Runtime X-Stainless-Runtime-Version X-Stainless-Read-Timeout X-Stainless-Timeout X-Stainless-Async`) {
		common[name] = true
	}
	return common
}()

// isFamily reports whether a folded name belongs to one of the families.
func isFamily(folded []byte) bool {
	if len(folded) < len("ip") {
		return false
	}
	if hasAnyPrefix(folded, familyPrefixes[[2]byte{folded[0], folded[1]}]) {
		return true
	}
	letters := lettersOf(folded)
	for _, w := range familyWords {
		if letters&w.letters == w.letters && bytes.Contains(folded, w.word) {
			return true
		}
	}
	return len(folded) > len("xuser") && folded[0] == 'x' && bytes.HasSuffix(folded, []byte("user")) // X-End-User
}

func hasAnyPrefix(folded []byte, prefixes []string) bool {
	for _, prefix := range prefixes {
		if len(folded) >= len(prefix) && string(folded[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// isForbidden reports whether a client must not send a header to an upstream.
func isForbidden(name string) bool {
	if commonFields[name] || proxyFields[name] {
		return false
	}
	var buf [longestFolded]byte
	return isFamily(fold(&buf, name))
}

// HeaderExceptions are headers of a family that an operator allows, in canonical
// spelling. The zero value has none.
type HeaderExceptions map[string]bool

var errHeaderName = errors.New("not the name of a header, of letters, digits and hyphens")

// NewHeaderExceptions checks the names. It refuses headers that the gateway sets,
// that hold credentials, or that name another method or target: with them the
// policy would judge another request than the upstream serves.
func NewHeaderExceptions(names []string) (HeaderExceptions, error) {
	exceptions := HeaderExceptions{}
	for _, name := range names {
		if err := checkException(name); err != nil {
			return nil, err
		}
		exceptions[http.CanonicalHeaderKey(name)] = true
	}
	return exceptions, nil
}

func checkException(name string) error {
	const longest = 64
	if name == "" || len(name) > longest || strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
	}) {
		return fmt.Errorf("header %q: %w", clip(name), errHeaderName)
	}
	var buf [longestFolded]byte
	folded := fold(&buf, name)
	for _, own := range []string{"xauthidentity", "xauthscope", "xauthmodel", "authorization", "proxy", "connection", "xcorrelationid"} {
		if bytes.HasPrefix(folded, []byte(own)) {
			return fmt.Errorf("header %s: the gateway sets or removes it itself", name)
		}
	}
	if hasAnyPrefix(folded, targetPrefixes) || bytes.Contains(folded, []byte("methodoverride")) || bytes.Contains(folded, []byte("overridemethod")) {
		return fmt.Errorf("header %s: it names another method or target than the policy judges", name)
	}
	if !isForbidden(http.CanonicalHeaderKey(name)) && !proxyFields[http.CanonicalHeaderKey(name)] {
		return fmt.Errorf("header %s: it is not removed, so there is nothing to allow", name)
	}
	return nil
}
