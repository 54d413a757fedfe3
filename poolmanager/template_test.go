package poolmanager

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheShippedTemplatesAreValid(t *testing.T) {
	demo, err := DemoTemplate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range []Template{demo, LlamaCPPTemplate(), LlamaCPPEmbeddingTemplate(), LlamaCPPRerankTemplate(), VLLMTemplate(), OllamaTemplate(), URLTemplate("http://127.0.0.1:11434")} {
		if err := template.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnInvalidTemplateIsRefusedWithItsKey(t *testing.T) {
	for want, change := range map[string]func(*Template){
		"name":                func(t *Template) { t.Name = "A B" },
		"engine":              func(t *Template) { t.Engine = "" },
		"dialect":             func(t *Template) { t.Dialect = "smtp" },
		"either command":      func(t *Template) { t.URL = "http://127.0.0.1:1" },
		"health_path":         func(t *Template) { t.HealthPath = "health" },
		"slots":               func(t *Template) { t.Slots = maxSlots + 1 },
		"ready_limit":         func(t *Template) { t.ReadyLimit = 0 },
		"stop_grace":          func(t *Template) { t.StopGrace = time.Hour },
		"key":                 func(t *Template) { t.Key = "argv" },
		"unknown placeholder": func(t *Template) { t.Command = append(t.Command, "{token}") },
		"{port} is missing":   func(t *Template) { t.Command = []string{"x", "{key_file}", "{model_path}"} },
		"{key_file}":          func(t *Template) { t.Command = []string{"x", "{port}", "{model_path}"} },
		"{model_path}":        func(t *Template) { t.Command = []string{"x", "{port}", "{key_file}"} },
		"workloads":           func(t *Template) { t.Workloads = []string{"completion", "training"} },
		"at most once":        func(t *Template) { t.Workloads = []string{"rerank", "rerank"} },
		"ttl: needs swap":     func(t *Template) { t.TTL = time.Second },
		"ttl: want 0":         func(t *Template) { t.Swap, t.TTL = true, 1000*time.Hour },
		"memory_bytes":        func(t *Template) { t.MemoryBytes = -1 },
		"env":                 func(t *Template) { t.Env = map[string]string{"LLORCH_UPSTREAM_TOKEN": "x"} },
	} {
		template := LlamaCPPTemplate()
		change(&template)
		if err := template.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %s", err, want)
		}
	}
	for _, url := range []string{"http://10.0.0.1:80", "ftp://127.0.0.1", "http://user:pass@127.0.0.1", "127.0.0.1:80", "http://127.0.0.1?x=1", "http://127.0.0.1.example.com"} {
		if err := URLTemplate(url).Validate(); err == nil {
			t.Errorf("url %s was accepted", url)
		}
	}
}

func TestOnlyNamedVariablesReachAnEngine(t *testing.T) {
	ours := map[string]string{"PATH": "/bin", "LLORCH_API_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "x", "HTTP_PROXY": "x", "LD_PRELOAD": "x"}
	lookup := func(name string) (string, bool) { v, ok := ours[name]; return v, ok }
	got := OllamaTemplate().environment(lookup, startValues{port: 7})
	want := []string{"OLLAMA_HOST=127.0.0.1:7", "OLLAMA_NUM_PARALLEL=4", "PATH=/bin"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestATemplatesOwnVariablesWin: of two with one name a program has the later.
func TestATemplatesOwnVariablesWin(t *testing.T) {
	template := OllamaTemplate()
	template.Devices, template.PassEnv = []string{"1"}, []string{"HF_TOKEN"}
	template.Env = map[string]string{"OLLAMA_MODELS": "/a", "HF_TOKEN": "a", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
	ours := map[string]string{"OLLAMA_MODELS": "/ours", "HF_TOKEN": "ours"}
	lookup := func(name string) (string, bool) { v, ok := ours[name]; return v, ok }
	got := template.environment(lookup, startValues{})
	want := []string{"CUDA_DEVICE_ORDER=FASTEST_FIRST", "CUDA_VISIBLE_DEVICES=1", "HF_TOKEN=a", "HIP_VISIBLE_DEVICES=1", "OLLAMA_MODELS=/a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAKeyFileIsPrivateAndNeverOverwritten(t *testing.T) {
	for style, want := range map[KeyStyle]string{KeyFile: "abc\n", KeyVLLMYAML: "api-key: \"abc\"\n"} {
		path := filepath.Join(t.TempDir(), "key")
		if err := writeKey(path, style, "abc"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(text) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %q, mode %v", style, text, info.Mode())
		}
		if err := writeKey(path, style, "other"); err == nil {
			t.Error("an existing file was overwritten")
		}
	}
}

func TestARuntimeDirectoryThatOthersMayWriteToIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openRuntimeDir(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v, want a refusal with the remedy", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := openRuntimeDir(link); err == nil {
		t.Error("a link was taken for the directory")
	}
}
