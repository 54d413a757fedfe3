package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnUnknownVariableIsNamed(t *testing.T) {
	for pair, want := range map[string]string{
		"ORCHD_STATEDIR=/secret":                     "ORCHD_STATE_DIR",
		"ORCHD_ADMISION_CAPACITY=5":                  "ORCHD_ADMISSION_CAPACITY",
		"ORCHESTRATORD_NODE_TIMEOUT=secret":          "ORCHESTRATORD_NODE_TIMEOUT_MS",
		"ORCHD_=x":                                   "ORCHD_",
		"ORCHD_" + strings.Repeat("X", 5000) + "=1":  "ORCHD_",
		"ORCHD_STATE_DIR=/a":                         "",
		"ORCHESTRATORD_URL=http://127.0.0.1:1":       "",
		"ORCHESTRATORD_TOKEN_FILE=/run/secrets/x":    "",
		"orchd_state_dir=/a":                         "ORCHD_STATE_DIR",
		"ORCH_ADDR=1":                                "ORCHD_ADDR",
		"LLORCH_API_TOKN=secret":                     "LLORCH_API_TOKEN",
		"LLORCH_UPSTREAM_TOKEN_FIEL=/secret":         "LLORCH_UPSTREAM_TOKEN_FILE",
		"POOL_MANAGERD_TOKEN=secret":                 "POOL_MANAGER_TOKEN",
		"LLORCH_NODE_TOKEN=x":                        "",
		"POOL_MANAGERD_DISPATCH_TOKEN=x":             "",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://[::1]:1": "",
		"ORCHD_PORT=8081":                            "ORCHD_",
		"ORCHD_PORT=tcp://10.0.0.1:8081":             "",
		"ORCHESTRATORD_SERVICE_HOST=10.0.0.1":        "",
		"ORCHESTRATORD_SERVICE_PORT_HTTP=8081":       "",
		"ORCHESTRATORD_PORT_8081_TCP_ADDR=10.0.0.1":  "",
		"LLORCH_API_TOKEN_FILE=/run/secrets/x":       "",
		"ORCHD_NODE_MODELS=gpu1=a":                   "",
		"SHELL=/bin/sh":                              "",
		"MY_ORCHD_VARIABLE=1":                        "",
		"ORCHESTRATORD_PLACEMENT_STRATEGY=best\nx=1": "",
	} {
		p := program
		p.Environ = func() []string { return []string{"A=1", pair} }
		err := p.CheckVariables()
		if (err == nil) != (want == "") {
			t.Errorf("%.60q: got %v", pair, err)
			continue
		}
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || len(err.Error()) > 250) {
			t.Errorf("%.60q: got %q, want a short line that names it and %s, and no value", pair, err, want)
		}
	}
	program.Environ = func() []string { return []string{"ORCHD_ADRR=1"} }
	defer func() { program.Environ = nil }()
	for _, args := range [][]string{{"--check"}, {"migrate", "--to-dir", "x"}, {}} {
		if err := run(t.Context(), args, environment("ORCHD_STATE_DIR", t.TempDir()), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "ORCHD_ADDR") {
			t.Errorf("%v: got %v, want a refusal that names ORCHD_ADDR", args, err)
		}
	}
	for _, args := range [][]string{{"--help"}, {"--version"}, {"migrate", "--help"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, environment(), &out, &out); err != nil || out.Len() == 0 {
			t.Errorf("%v: got %v, %q, want an answer whatever the environment holds", args, err, &out)
		}
	}
}

func TestCheckRefusesAStateDirectoryThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir string
		ok  bool
	}{
		"there":                     {dir, true},
		"to be made":                {filepath.Join(dir, "a", "b"), true},
		"a file":                    {file, false},
		"below a file":              {filepath.Join(file, "a"), false},
		"a link to nothing":         {filepath.Join(dir, "link"), false},
		"below a link to nothing":   {filepath.Join(dir, "link", "a"), false},
		"where no directory can be": {"/proc/llorch/state", false},
		"a name that is too long":   {filepath.Join(dir, strings.Repeat("x", 300)), false},
		"in a name with a zero":     {filepath.Join(dir, "a\x00b"), false},
	} {
		var out bytes.Buffer
		err := run(t.Context(), []string{"--check"}, environment("ORCHD_STATE_DIR", c.dir), &out, &out)
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v, %s", name, err, &out)
		}
		if err != nil && !strings.Contains(err.Error(), "ORCHD_STATE_DIR") {
			t.Errorf("%s: got %v, which does not name the key", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the check left %v, %v", left, err)
	}
}
