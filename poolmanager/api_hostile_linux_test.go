package poolmanager

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// hostileFiles are names below the model root that lead elsewhere, or would make
// a reader wait.
func hostileFiles(t *testing.T, root string) []string {
	t.Helper()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		"link-out": filepath.Join(outside, "secret"), "link-dir": outside, "link-up": "../" + filepath.Base(root) + "/../x",
		"link-device": "/dev/zero", "link-loop": "link-loop", "link-self": "/proc/self/environ", "link-root": "/",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(filepath.Join(root, "device"), syscall.S_IFCHR|0o600, 1<<8|5); err != nil && os.Getuid() == 0 {
		t.Fatal(err) // only root makes devices; for others the name is absent
	}
	return []string{"link-out", "link-dir/secret", "link-dir", "link-up", "link-device", "link-loop", "link-self", "link-root", "directory", "fifo", "device", ".staging", ".staging/x", "absent"}
}

// TestNoPartOfARequestBecomesAProgramAFlagOrAPath sends every hostile reference
// to every route that takes one, as JSON over HTTP: each is refused, nothing is
// started, and what runs goes on.
func TestNoPartOfARequestBecomesAProgramAFlagOrAPath(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "good.gguf"), []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	var files []string
	r := startRig(t, func(o *Options) {
		file := o.Templates[0]
		file.Name, file.TakesFile, file.Model = "file", true, ""
		file.Env = map[string]string{"MODEL_PATH": "{model_path}"}
		named := o.Templates[0]
		named.Name, named.Model = "named", ""
		o.ModelRoot, o.Templates = root, append(o.Templates, file, named)
		files = hostileFiles(t, root)
	})
	r.ready(t, "runs", "file", "file:good.gguf")
	before := r.engine(t, "runs").process.Identity()
	refs := []string{}
	for _, name := range append(files, hostile...) {
		refs = append(refs, "file:"+name, "catalog:"+name)
	}
	refs = append(refs, hostile...)
	sent := 0
	for _, ref := range refs {
		for _, template := range []string{"file", "named"} {
			if r, err := modelref.Parse(ref); err == nil && r.Kind == modelref.Catalog && template == "file" || ref == "" {
				continue // the catalog may know it: it is no path here
			}
			sent++
			body, err := json.Marshal(map[string]any{"template": template, "model_ref": ref})
			if err != nil {
				t.Fatal(err)
			}
			response, text := r.call(t, "POST", "/pools/new/preload", string(body), "Authorization", "Bearer "+r.token.Reveal())
			if response.StatusCode != 422 {
				t.Errorf("%s with %q: %d %.200s", template, ref, response.StatusCode, text)
			}
		}
		body, err := json.Marshal(map[string]any{"model_ref": ref})
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(ref, "catalog:") {
			continue // a reload asks the catalog first; the spelling is checked above
		}
		sent++
		response, text := r.call(t, "POST", "/pools/runs/reload", string(body), "Authorization", "Bearer "+r.token.Reveal())
		if response.StatusCode != 422 {
			t.Errorf("reload with %q: %d %.200s", ref, response.StatusCode, text)
		}
	}
	if _, err := r.pools.find("new"); err == nil {
		t.Error("a pool was made")
	}
	if s := r.status(t, "runs"); !s.Ready || s.Restarts > 0 || r.engine(t, "runs").process.Identity() != before {
		t.Errorf("what runs was disturbed: %+v", s)
	}
	if running := marked(t, r.dir.id); len(running) != 1 {
		t.Errorf("processes: %q", running)
	}
	t.Logf("%d requests with %d references", sent, len(refs))
}

// TestARequestCannotCarryACommand: what is no field is refused, wherever it stands.
func TestARequestCannotCarryACommand(t *testing.T) {
	r := startRig(t, nil)
	for _, body := range []string{
		`{"template":"demo","command":["sh","-c","id"]}`, `{"template":"demo","args":["-x"]}`, `{"template":"demo","env":{"LD_PRELOAD":"/x"}}`,
		`{"template":"demo","url":"http://127.0.0.1:1"}`, `{"template":"demo","port":1}`, `{"template":"demo","dir":"/"}`, `{"template":"demo","devices":["0"]}`,
		`{"template":["demo"]}`, `{"template":{"name":"demo"}}`, `{"template":"demo","model_ref":["a"]}`, `{"template":"demo","model_ref":{"a":1}}`,
		`{"template":"demo","template":"demo","command":"x"}`, `["demo"]`, `"demo"`, `null`, ``,
	} {
		response, text := r.call(t, "POST", "/pools/p/preload", body, "Authorization", "Bearer "+r.token.Reveal())
		if response.StatusCode != 422 && response.StatusCode != 400 {
			t.Errorf("%s: %d %.200s", body, response.StatusCode, text)
		}
	}
	for _, name := range []string{"", "sh", "../demo", "demo ", "Demo", "demo\x00", "{model}", "/bin/sh"} {
		body, err := json.Marshal(map[string]any{"template": name})
		if err != nil {
			t.Fatal(err)
		}
		response, text := r.call(t, "POST", "/pools/p/preload", string(body), "Authorization", "Bearer "+r.token.Reveal())
		if response.StatusCode != 404 && response.StatusCode != 422 {
			t.Errorf("template %q: %d %.200s", name, response.StatusCode, text)
		}
	}
	if running := marked(t, r.dir.id); len(running) > 0 {
		t.Errorf("processes: %q", running)
	}
}
