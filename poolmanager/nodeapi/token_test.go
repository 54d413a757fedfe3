package nodeapi

import (
	"encoding/json"
	"testing"
)

// What is read by hand is what encoding/json reads, and what is written by hand
// is read by it again: for any text, and any bytes for data.
func FuzzToken(f *testing.F) {
	for _, data := range []string{
		`{"t":" sky","i":7}`, `{"t":"","i":0}`, `{"t":"\n","i":1}`, `{"t":"a","i":01}`, `{"t":"a","i":-1}`, `{"t":"a","i":1,"i":2}`,
		`{"t":"a","i":1}}`, `{"t":"a","i":99999999999999999999}`, `{"t":"a","i":}`, `{"t":"a","i":1.5}`, `{"t":"a" ,"i":1}`, "{\"t\":\"\xff\",\"i\":1}",
		`{"t":"x","i":","i":1}`, `{"t":"日本","i":3}`, "{\"t\":\"a\x00b\",\"i\":3}", `{"i":3,"t":"x"}`, `null`, ``, `{}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want tokenData
		wantErr := json.Unmarshal(data, &want)
		text, index, err := decodeToken(data)
		if (err == nil) != (wantErr == nil) || err == nil && (text != want.T || index != want.I) {
			t.Fatalf("%q: %q %d, %v; encoding/json says %+v, %v", data, text, index, err, want, wantErr)
		}
		encoded, err := appendToken(nil, string(data), 1)
		if err != nil {
			t.Fatal(err)
		}
		var got, through tokenData
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q is written %q: %v", data, encoded, err)
		}
		plain, err := json.Marshal(tokenData{string(data), 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &through); err != nil || got != through {
			t.Fatalf("%q is written %q and read %+v; encoding/json reads %+v, %v", data, encoded, got, through, err)
		}
	})
}
