package caddymodule

import "testing"

// What cannot be seen from the configuration is refused when it happens: with
// the bypass on, the second guard would take the request for a local one, since
// the first has removed its credential.
func TestASecondGuardRefuses(t *testing.T) {
	up := newUpstream(t, nil)
	globals := "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\toptional true\n\t}\n"
	g := serve(t, false, globals, `
	route {
		authmin first {
			require infer /v1/*
		}
	}
	route {
		authmin second {
			require admin /v1/*
		}
	}
	reverse_proxy `+up.address())
	for _, fields := range [][]string{{asUser}, {"Host: " + g.address}} {
		if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", fields...); answer.StatusCode != 500 {
			t.Errorf("with %.20q: got %d %s, want 500", fields, answer.StatusCode, body)
		}
	}
	if up.last() != nil {
		t.Error("the upstream was reached")
	}
}
