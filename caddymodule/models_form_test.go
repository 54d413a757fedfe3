package caddymodule

import (
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

// Whatever form is accepted here has the same parts for the standard library.
func FuzzFormIsReadAlike(f *testing.F) {
	for _, seed := range []string{
		form(field("model", "tiny")), form(field("model", "tiny"), file("file", "a", "x\r\n--cu")), "--cut\n\n--cut--", "--cut--",
		form("\r\n\r\nx"), form(field("model", "a"), field("model", "b")), form(field("model", "\r\n--cut\r\n")), form(field("m", "x")) + "y",
		form("Content-Disposition: form-data; name=\"model\"\r\n x: y\r\n\r\nbig"), form("content-disposition: form-data; name=\"model\"; filename=\"\"\r\n\r\nx"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		parts, ok := splitForm([]byte(body), "cut")
		if !ok {
			return
		}
		reader := multipart.NewReader(strings.NewReader(body), "cut")
		for _, part := range parts {
			header, value, ok := strings.Cut(string(part), "\r\n\r\n")
			name, isFile, named := partName(header)
			if !ok || !named {
				return // the request is refused
			}
			theirs, err := reader.NextRawPart()
			if err != nil {
				t.Fatalf("%q: the standard library reads no part: %v", body, err)
			}
			content, err := io.ReadAll(theirs)
			if err != nil || string(content) != value || theirs.FormName() != name || (theirs.FileName() != "") && !isFile {
				t.Fatalf("%q: part %q is %q, to the standard library %q is %q (%v)", body, name, value, theirs.FormName(), content, err)
			}
		}
		if _, err := reader.NextRawPart(); err != io.EOF {
			t.Fatalf("%q: the standard library reads more: %v", body, err)
		}
	})
}
