package authmin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// families are folded names, some of which no product uses yet.
var families = []string{
	"xuser", "xuserid", "xuserroles", "xusernickname", "xauth", "xauthidentity", "xauthscopes", "xauthmodels", "xauthanything", "xauthenticatedgroups",
	"xremoteuser", "xremoteanything", "remoteuser", "remotegroups", "remoteanything", "impersonateuser", "impersonateextrascopes", "ximpersonateuser",
	"xforwardeduser", "xforwardedanything", "xforwardedport", "xforwardedssl", "xforwardfor", "forwarded", "forwardedfor", "yandexforwardedfor",
	"xclientip", "clientip", "fastlyclientip", "anyclientip", "xazureclientip", "trueclientip", "xrealip", "anyrealip", "doconnectingip", "cfconnectingip",
	"xoriginatingip", "xsourceip", "cdnsrcip", "xcustomipauthorization", "remoteaddr", "xscheme", "frontendhttps",
	"xwebauthrole", "xconsumergroups", "xcredentialidentifier", "xgroups", "xroles", "xemail", "xenduser", "xopenwebuiuseremail", "xgrafanauser",
	"xscopeorgid", "xtenantid", "xhasurarole", "xjwtclaims", "oidcclaimsub", "xoidcsubject", "shibsession", "sslclientsdn", "xclientcert", "clientcertchain",
	"xactas", "onbehalfof", "xsudo", "xmsclientprincipalname", "xgoogiapjwtassertion", "cfaccessjwtassertion", "tailscaleuserlogin",
	"xhttpmethodoverride", "xmethod", "anymethodoverride", "xoriginalurl", "xoriginalanything", "xrewriteurl", "xrequesturi", "xmiddlewaresubrequest",
	"xinvokepath", "xmatchedpath", "xforwardeduri", "xacceltype", "xsendfiletype", "proxy", "proxyauthorization", "xproxyuser",
}

func TestMembersOfTheFamiliesAreRemoved(t *testing.T) {
	for _, name := range families {
		for _, spelled := range []string{name, strings.ToUpper(name), name[:1] + "-" + name[1:], name[:2] + "_" + name[2:], name[:len(name)-1] + "." + name[len(name)-1:]} {
			h := http.Header{http.CanonicalHeaderKey(spelled): {"x"}}
			if SanitizeHeader(h); len(h) != 0 {
				t.Errorf("%s is left", spelled)
			}
		}
	}
}

// What clients of ours send, and what browsers, SDKs and web applications do.
func TestOtherHeadersPass(t *testing.T) {
	for name := range strings.FieldsSeq(`Accept Authorization Content-Type Cookie User-Agent Referer Origin Via From Range
		Idempotency-Key Last-Event-Id X-Correlation-Id X-Request-Id X-Session-Id X-Deadline-Ms Traceparent Tracestate Baggage
		X-Api-Key X-Goog-Api-Key X-Goog-User-Project X-Goog-Api-Client Openai-Organization Openai-Project Openai-Beta Anthropic-Version Anthropic-Beta
		Anthropic-Dangerous-Direct-Browser-Access X-Stainless-Helper-Method X-Stainless-Poll-Helper X-Stainless-Raw-Response X-Stainless-Custom-Poll-Interval
		X-Amz-Date X-Amz-Content-Sha256 X-Amz-Security-Token X-Amzn-Trace-Id X-Ms-Version X-Ms-Date X-Ms-Client-Request-Id
		X-Csrf-Token X-Xsrf-Token X-Requested-With X-Client-Info X-Client-Data X-Client-Version X-Client-Name X-Request-Start X-Title Http-Referer
		X-Hub-Signature-256 X-Github-Event X-Gitlab-Token X-B3-Traceid Sec-Websocket-Key Sec-Websocket-Protocol Sec-Fetch-User Hx-Request Turbo-Frame
		X-Inertia X-Subscription-Key Ocp-Apim-Subscription-Key Upload-Offset Tus-Resumable X-File-Name X-Upload-Content-Length X-Access-Token
		X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto`) {
		h := http.Header{http.CanonicalHeaderKey(name): {"x"}}
		if SanitizeHeader(h); len(h) != 1 {
			t.Errorf("%s is gone", name)
		}
	}
}

// The fields that a proxy sets pass in the one spelling in which Caddy judges them.
func TestOtherSpellingsOfProxyFieldsAreRemoved(t *testing.T) {
	for _, name := range []string{"X_forwarded_for", "X.forwarded.for", "Xforwardedfor", "X-Forwarded_for", "X--Forwarded-For", "x-forwarded-for", "X-Forwarded-For-"} {
		h := http.Header{name: {"x"}}
		if SanitizeHeader(h); len(h) != 0 {
			t.Errorf("%s is left", name)
		}
	}
	h := http.Header{"X-Forwarded-For": {"a"}, "X-Forwarded-Host": {"b"}, "X-Forwarded-Proto": {"c"}, "Accept": {"d"}}
	if HeaderExceptions(nil).SanitizeForwarded(h); len(h) != 1 {
		t.Errorf("of an untrusted peer %v is left", h)
	}
}

func TestAnExceptionAllowsOneSpellingAndOneField(t *testing.T) {
	e, err := NewHeaderExceptions([]string{"x-real-ip", "X-User-Agent", "X-Forwarded-For"})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{
		"X-Real-Ip": {"192.0.2.1"}, "X_real_ip": {"b"}, "Xrealip": {"c"}, "X-User-Agent": {"grpc-web", "twice"}, "X-User-Id": {"d"},
		"X-Forwarded-For": {"e"}, "X-Forwarded-Host": {"f"},
	}
	e.Sanitize(h)
	e.SanitizeForwarded(h)
	if got, want := fmt.Sprint(h), "map[X-Forwarded-For:[e] X-Real-Ip:[192.0.2.1]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHeadersThatCannotBeExceptions(t *testing.T) {
	for name, why := range map[string]string{
		"X-Auth-Identity": "the gateway sets or removes it", "x-auth-scopes": "the gateway sets or removes it", "X-Auth-Models": "the gateway sets or removes it", "Xauthidentity": "the gateway sets or removes it",
		"Authorization": "removes it itself", "Proxy-Authorization": "removes it itself", "Proxy": "removes it itself", "Connection": "removes it itself",
		"X-Http-Method-Override": "another method or target", "X-Method-Override": "another method or target", "X-Original-Url": "another method or target",
		"X-Rewrite-Url": "another method or target", "X-Forwarded-Uri": "another method or target", "X-Vendor-Method-Override": "another method or target",
		"X_Real_IP": "letters, digits and hyphens", "X.Real.IP": "letters, digits and hyphens", "": "letters, digits and hyphens",
		"X-User-*": "letters, digits and hyphens", "X-" + strings.Repeat("user", 20): "letters, digits and hyphens", "{env.X}": "letters, digits and hyphens",
		"Accept": "nothing to allow", "X-Title": "nothing to allow",
	} {
		if _, err := NewHeaderExceptions([]string{name}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want it to say %q", name, err, why)
		}
	}
}

func BenchmarkSanitizeHeader(b *testing.B) {
	h := http.Header{}
	for _, name := range strings.Fields("Accept Accept-Encoding Content-Length Content-Type User-Agent X-Stainless-Lang X-Stainless-Os X-Unknown-To-Us X-Request-Id Traceparent") {
		h[name] = []string{"x"}
	}
	for b.Loop() {
		SanitizeHeader(h)
	}
}
