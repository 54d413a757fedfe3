package chart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs themselves say whether they take what the chart has written for them.
func TestProgramsAcceptTheirConfiguration(t *testing.T) {
	bin := build(t)
	d := runDocument(t, bin)
	check := func(t *testing.T, all []object) {
		for _, pod := range pods(all) {
			root := t.TempDir()
			d.mount(t, root, pod)
			config := configOf(all, pod)
			for _, c := range pod.list("spec", "containers") {
				switch c.text("name") {
				case "gateway":
					run(t, root, nil, filepath.Join(bin, "llorch"), "validate", "--adapter", "caddyfile", "--config", write(t, root, "Caddyfile", config.text("data", "Caddyfile")))
				case "orchestratord":
					run(t, root, environment(root, pod, c), filepath.Join(bin, "orchestratord"), "--check", "--config", write(t, root, "orchestratord.yaml", config.text("data", "orchestratord.yaml")))
				case "poolmanagerd":
					run(t, root, environment(root, pod, c), filepath.Join(bin, "poolmanagerd"), "--check", "--config", write(t, root, "poolmanagerd.yaml", config.text("data", "poolmanagerd.yaml")))
				}
			}
		}
	}
	eachUse(t, check)
	t.Run("the document's values", func(t *testing.T) {
		all, err := render(d.values[0])
		if err != nil {
			t.Fatal(err)
		}
		check(t, all)
	})
	t.Run("the document's engine", func(t *testing.T) {
		all, err := render(image + "orchestrator: {nodeNetworks: [10.244.0.0/16]}\n" + d.values[1])
		if err != nil {
			t.Fatal(err)
		}
		check(t, all)
	})
}

// build builds the three programs.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", bin+"/", "./caddymodule/cmd/llorch", "./orchestrator/cmd/orchestratord", "./poolmanager/cmd/poolmanagerd")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return bin
}

func run(t *testing.T, root string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+root, "XDG_DATA_HOME="+root, "XDG_CONFIG_HOME="+root)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), `"level":"warn"`) {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), args[0], err, out)
	}
}

// write writes a configuration whose files are below root.
func write(t *testing.T, root, name, text string) string {
	t.Helper()
	presets, err := filepath.Abs(filepath.Join("..", "presets"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, name)
	if err := os.WriteFile(path, []byte(below(root, strings.ReplaceAll(text, "/usr/share/llorch/presets", presets))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// below moves the paths of a pod into a directory.
func below(root, text string) string {
	for _, dir := range []string{"/etc/llorch/", "/var/lib/", "/run/llorch"} {
		text = strings.ReplaceAll(text, dir, root+dir)
	}
	return text
}

func configOf(all []object, pod object) object {
	component := pod.text("metadata", "labels", "app.kubernetes.io/component")
	for _, o := range all {
		if o.kind() == "ConfigMap" && o.name() == release+"-"+component {
			return o
		}
	}
	return nil
}

// environment is that of a container, in the first pod.
func environment(root string, pod, c object) (env []string) {
	name := release + "-" + pod.text("metadata", "labels", "app.kubernetes.io/component") + "-0"
	for _, e := range c.list("env") {
		if e.at("valueFrom") == nil {
			env = append(env, e.text("name")+"="+below(root, strings.ReplaceAll(e.text("value"), "$(POD_NAME)", name)))
		}
	}
	return append(env, "POOL_MANAGERD_RUNTIME_DIR="+root+"/runtime", "POOL_MANAGERD_MODEL_ROOT="+root)
}
