package poolmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAnEngineHasTheEnvironmentOfItsTemplate reads them from the kernel.
func TestAnEngineHasTheEnvironmentOfItsTemplate(t *testing.T) {
	t.Setenv("HF_TOKEN", "wanted-by-the-operator")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-named")
	t.Setenv("LLORCH_API_TOKEN", "never")
	work := t.TempDir()
	r := startRig(t, func(o *Options) {
		demo := &o.Templates[0]
		demo.Dir, demo.PassEnv = work, []string{"HF_TOKEN", "ABSENT"}
		demo.MaxOpenFiles, demo.MaxAddressSpaceBytes = 512, 64<<30 // Go maps much before it uses it
		demo.Devices = []string{"1"}
	})
	r.ready(t, "p", "demo", "")
	proc := fmt.Sprintf("/proc/%d", r.engine(t, "p").process.Identity().PID)
	if got, err := os.Readlink(filepath.Join(proc, "cwd")); err != nil || got != work {
		t.Errorf("working directory %s, %v", got, err)
	}
	limits, err := os.ReadFile(filepath.Join(proc, "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"Max open files": "512", "Max address space": fmt.Sprint(64 << 30)} {
		_, rest, _ := strings.Cut(string(limits), line)
		if fields := strings.Fields(rest); len(fields) < 2 || fields[0] != want || fields[1] != want {
			t.Errorf("%s: %.60q, want %s", line, rest, want)
		}
	}
	environment, err := os.ReadFile(filepath.Join(proc, "environ"))
	if err != nil {
		t.Fatal(err)
	}
	variables := "\x00" + string(environment)
	for _, want := range []string{"HF_TOKEN=wanted-by-the-operator", "CUDA_VISIBLE_DEVICES=1"} {
		if !strings.Contains(variables, "\x00"+want+"\x00") {
			t.Errorf("%s is missing in %q", want, variables)
		}
	}
	for _, never := range []string{"not-named", "never", "ABSENT"} {
		if strings.Contains(variables, never) {
			t.Errorf("%s is in %q", never, variables)
		}
	}
}

func TestAnEngineWithoutItsWorkingDirectoryDoesNotRun(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates[0].Dir = filepath.Join(t.TempDir(), "absent") })
	if _, err := r.pools.preload("p", nodeapi.PreloadRequest{Template: "demo"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the failure", func() bool { return strings.Contains(r.status(t, "p").LastError, "absent") })
	if err := (Template{MaxOpenFiles: 512}).limit(1 << 30); err == nil {
		t.Error("a process that is not there was limited")
	}
}

// TestAnEngineThatEndsAtOnceSaysWhy although it was to be limited.
func TestAnEngineThatEndsAtOnceSaysWhy(t *testing.T) {
	r := startRig(t, func(o *Options) {
		hasty := scripted("echo no such model >&2; exit 3")
		hasty.MaxOpenFiles = 512
		o.Templates = append(o.Templates, hasty)
	})
	if _, err := r.pools.preload("p", nodeapi.PreloadRequest{Template: "script"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "its own words", func() bool { return strings.Contains(r.status(t, "p").LastError, "no such model") })
}

func TestEnvironmentsThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Template){
		"env: \"LLORCH_X\"":            func(t *Template) { t.Env = map[string]string{"LLORCH_X": ""} },
		"env: \"llorch_x\"":            func(t *Template) { t.Env = map[string]string{"llorch_x": ""} },
		"env: \"\"":                    func(t *Template) { t.Env = map[string]string{"": ""} },
		"env: \"A=B\"":                 func(t *Template) { t.Env = map[string]string{"A=B": ""} },
		"env: \"A\\x00\"":              func(t *Template) { t.Env = map[string]string{"A\x00": ""} },
		"\"POOL_MANAGER_TOKEN\"":       func(t *Template) { t.PassEnv = []string{"POOL_MANAGER_TOKEN"} },
		"\"POOL_MANAGERD_ADDR\"":       func(t *Template) { t.PassEnv = []string{"POOL_MANAGERD_ADDR"} },
		"\"AUTH_TOKEN\"":               func(t *Template) { t.PassEnv = []string{"AUTH_TOKEN"} },
		"\"ORCHD_NATS_CREDS\"":         func(t *Template) { t.PassEnv = []string{"ORCHD_NATS_CREDS"} },
		"\"*\"":                        func(t *Template) { t.PassEnv = []string{"*"} },
		"dir: want an absolute path":   func(t *Template) { t.Dir = "/a/../b" },
		"max_open_files":               func(t *Template) { t.MaxOpenFiles = -1 },
		"max_address_space_bytes":      func(t *Template) { t.MaxAddressSpaceBytes = -1 },
		"the program itself":           func(t *Template) { t.Command[0] = "/opt/{model}" },
		"unknown placeholder {Port}":   func(t *Template) { t.Command = append(t.Command, "{Port}") },
		"unknown placeholder {port.x}": func(t *Template) { t.Command = append(t.Command, "{port.x}") },
		"unknown placeholder {}":       func(t *Template) { t.Command = append(t.Command, "{}") },
	} {
		template := LlamaCPPTemplate()
		change(&template)
		if err := template.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %s", err, want)
		}
	}
	template := LlamaCPPTemplate()
	template.Command = append(template.Command, "--chat-template-kwargs", `{"enable_thinking": false}`)
	if err := template.Validate(); err != nil {
		t.Errorf("JSON in an argument: %v", err)
	}
}
