package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

//go:embed files/index.html files/page.css files/page.js files/table.js files/icon.svg
var embedded embed.FS

// file is one of the page's files.
type file struct {
	name    string
	content []byte
	etag    string
}

// files are the files by path. They are the page's only public routes.
var files = map[string]file{
	"/":         readFile("index.html"),
	"/page.css": readFile("page.css"),
	"/page.js":  readFile("page.js"),
	"/table.js": readFile("table.js"),
	"/icon.svg": readFile("icon.svg"),
}

// publicPaths are the paths of the files.
func publicPaths() []string { return slices.Sorted(maps.Keys(files)) }

// readFile reads an embedded file: one that is missing does not build.
func readFile(name string) file {
	content, err := fs.ReadFile(embedded, "files/"+name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(content)
	return file{name, content, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// types are the media types by extension. They do not depend on the machine's own table.
var types = map[string]string{
	"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
	"js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", types[f.name[strings.LastIndexByte(f.name, '.')+1:]])
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", f.etag)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.content))
}

// policy allows the page its own files and its own data, and nothing else: no code and no
// style in the HTML, no frame around it, no form, and no text that becomes HTML or code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// setHeaders sets what every answer of the page has, a refusal by this handler included.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
