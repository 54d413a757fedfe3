package authmin_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A decider decides requests by a policy and a keyring.
func ExampleDecider_Decide() {
	secret := authmin.NewSecret("an-example-token-of-more-than-32-characters")
	ring, err := authmin.NewKeyring([]authmin.Token{authmin.NewToken("ci", secret, authmin.ScopeInfer)})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: []authmin.Rule{
		{Action: authmin.ActionPublic, Methods: []string{"GET"}, Paths: []string{"/health"}},
		{Action: authmin.ActionRequire, Scopes: []authmin.Scope{authmin.ScopeInfer}, Paths: []string{"/v1/*"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	decider := authmin.Decider{Policy: policy, Keyring: func() *authmin.Keyring { return ring }}

	for _, target := range []string{"/health", "/v1/models", "/admin", "/v1/../admin"} {
		d := decider.Decide(&authmin.Request{
			Method: "GET", Target: target, Host: "gateway.example.com",
			Header: http.Header{"Authorization": {"Bearer " + secret.Reveal()}},
		}, time.Now())
		fmt.Printf("%s %t name=%q reason=%q\n", target, d.Allow, d.Name, d.Reason)
	}
	d := decider.Decide(&authmin.Request{Method: "GET", Target: "/v1/models", Host: "gateway.example.com"}, time.Now())
	fmt.Println("without a token:", d.Problem.Status, d.Problem.Code)
	// Output:
	// /health true name="" reason=""
	// /v1/models true name="ci" reason=""
	// /admin false name="ci" reason="policy"
	// /v1/../admin false name="" reason="path"
	// without a token: 401 MISSING_TOKEN
}

// A credential is hashed when it is parsed; the keyring knows digests only.
func ExampleParseBearer() {
	secret := authmin.NewSecret("an-example-token-of-more-than-32-characters")
	ring, err := authmin.NewKeyring([]authmin.Token{authmin.NewToken("ci", secret, authmin.ScopeInfer)})
	if err != nil {
		fmt.Println(err)
		return
	}
	digest, presented := authmin.ParseBearer([]string{"Bearer " + secret.Reveal()})
	if presented != authmin.PresentedToken {
		fmt.Println("no usable credential")
		return
	}
	token, verdict := ring.Lookup(digest, time.Now())
	fmt.Println(token.Name, verdict == authmin.VerdictValid, digest)

	_, presented = authmin.ParseBearer([]string{"Basic dXNlcjpwYXNzd29yZA=="})
	fmt.Println(presented == authmin.PresentedMalformed)
	// Output:
	// ci true a2fee1
	// true
}

// A secret cannot be printed by mistake.
func ExampleSecret() {
	secret := authmin.NewSecret("an-example-token-of-more-than-32-characters")
	fmt.Printf("%v %+v %#v %q\n", secret, secret, secret, secret)
	fmt.Println(secret.Fingerprint())
	// Output:
	// [redacted] [redacted] [redacted] [redacted]
	// a2fee1
}

// Paths that two programs could read in two ways are refused, not cleaned up.
func ExampleCheckTarget() {
	for _, target := range []string{"/v1/models/llama3.2:1b", "/v1//models", "/v1/%2e%2e/admin", "/a%20b?q=1"} {
		path, err := authmin.CheckTarget(target)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(path)
	}
	// Output:
	// /v1/models/llama3.2:1b
	// ambiguous request target: an empty segment
	// ambiguous request target: an encoded delimiter
	// /a b
}
