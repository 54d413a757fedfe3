package authmin

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// HeaderOrigin names the origin of the page that makes a request (RFC 6454 §7).
const HeaderOrigin = "Origin"

// The fields of a request for the server that decides about pages of other origins,
// and for no upstream.
const (
	requestMethod  = "Access-Control-Request-Method"
	requestHeaders = "Access-Control-Request-Headers"
)

// CheckOrigin checks an origin of web pages that may read answers. It has to be written
// as browsers send it, since it is compared byte by byte: scheme, host in lower case
// and ASCII, and the port unless it is the scheme's own. http is for hosts of this
// machine only: a page that came over another network in clear may have been changed on
// its way, and would act with its reader's token.
func CheckOrigin(text string) error {
	switch text {
	case "*":
		return errors.New("* would let every page on the web read answers; name the origins")
	case "null":
		return errors.New("null is the origin of every sandboxed page; name the origin of a page that is served")
	}
	scheme, authority, ok := strings.Cut(text, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return errors.New("want https://HOST, or http://localhost with a port")
	}
	if strings.ContainsFunc(authority, func(c rune) bool { return c > '~' }) {
		return errors.New("write a host of another script in its ASCII form, xn--…")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host != authority || !IsHost(authority) || u.Hostname() == "" {
		return errors.New("want scheme, host and perhaps a port, and nothing behind them: no path, no slash at the end, no user, no query")
	}
	host, port := u.Hostname(), u.Port()
	if strings.ToLower(authority) != authority {
		return errors.New("write the host in lower case, as browsers send it")
	}
	if strings.Contains(host, "*") {
		return errors.New("a part of a host cannot be *; name each origin")
	}
	if strings.HasSuffix(authority, ":") || port != "" && !isPlainPort(port) {
		return errors.New("the port is not a number from 1 to 65535")
	}
	if port == defaultPort(scheme == "https") {
		return errors.New("leave out the port " + port + ": browsers do not send the scheme's own")
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && host != addr.String():
		return errors.New("write the address as " + addr.String() + ", as browsers send it")
	case err != nil && !isHostName(host):
		return errors.New("the host is not a name, nor an address as browsers send it")
	case scheme == "http" && host != "localhost" && (err != nil || !IsLoopbackAddr(addr)):
		return errors.New("http is for localhost, 127.0.0.1 and [::1] only; serve the page over https")
	}
	return nil
}

// isPlainPort accepts a port as browsers write it, without zeros in front.
func isPlainPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == text
}

// isHostName accepts letters, digits, - and _ in labels, which do not look like an
// address.
func isHostName(host string) bool {
	last := host
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.ContainsFunc(label, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
		}) {
			return false
		}
		last = label
	}
	return last[0] < '0' || last[0] > '9' // 127.1 and 0x7f.1 are addresses to a browser
}

// IsPreflight reports whether a request is the question of a browser whether a page of
// another origin may make a request (CORS preflight, Fetch §3.3.2).
func IsPreflight(method string, h http.Header) bool {
	asked := h[requestMethod]
	return method == http.MethodOptions && len(h[HeaderOrigin]) == 1 && len(asked) == 1 && asked[0] != ""
}

// PreflightHeaders are the names of the fields that a preflight asks for, in the one
// spelling that browsers send: lower case, separated by commas.
func PreflightHeaders(h http.Header) []string {
	const most = 128
	var names []string
	for _, line := range h[requestHeaders] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" && len(names) < most {
				names = append(names, name)
			}
		}
	}
	return names
}

// DecidePreflight decides a preflight. Browsers send it without a credential, so it
// passes like a request of a public route, and alike for every path, whatever the
// policy: what it is answered says nothing of which paths exist. What can be read in two
// ways is refused.
func (g *Decider) DecidePreflight(r *Request) Decision {
	d := Decision{Rule: NoRule, Identity: NameAnonymous}
	if reason := unacceptable(r); reason != ReasonNone {
		d.refuse(reason, &ProblemBadRequest)
		return d
	}
	var err error
	if d.Path, err = CheckTarget(r.Target); err == nil {
		_, err = g.Policy.Match(r.Method, d.Path)
	}
	if err != nil {
		d.refuse(ReasonPath, &ProblemBadRequest)
		return d
	}
	d.Allow, d.Public = true, true
	return d
}
