package nodeapi_test

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAQueryIsReadInOneWay(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "a": true, "beta=true": true, "include[]=a.b&include%5B%5D=c&limit=2&order=desc": true, "q=%C3%A9+x": true, "a=b=c/?:@!$'()*,~": true,
		"a=" + strings.Repeat("x", nodeapi.MaxQuery-2): true, "a=" + strings.Repeat("x", nodeapi.MaxQuery-1): false,
		"a b": false, "a=\x00": false, "a=\x7f": false, "a=é": false, "a#b": false, `a="b"`: false, "a=<b>": false, `a\b`: false, "a|b": false,
		"a;b": false, "a=%": false, "a=%zz": false, "a=%0": false, "a=%00": false, "%0a=b": false, "a=%7f": false, "a=%c2%80": false, "a=%ff": false,
	} {
		values, err := nodeapi.ParseQuery(text)
		if (err == nil) != ok {
			t.Errorf("%.40q: got %v, want ok %t", text, err, ok)
		}
		if err != nil && (values != nil || strings.Contains(err.Error(), "zz")) {
			t.Errorf("%.40q: got %v, and the error %v", text, values, err)
		}
	}
}
