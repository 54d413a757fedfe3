package houserules_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

// TestWorkflows: the YAML files of .github parse, the workflow runs .ci/run on a
// push and on a pull request with a token that can only read, and each action is
// pinned to a commit, with its version in a comment. A workflow for tags alone runs
// deploy/release instead; its one job may write.
func TestWorkflows(t *testing.T) {
	faults, workflows := workflowFaults(t, os.DirFS(root(t)))
	for _, fault := range faults {
		t.Error(fault)
	}
	if workflows == 0 {
		t.Error("no workflow found in .github/workflows")
	}
}

func TestWorkflowsCanFail(t *testing.T) {
	const good = "on: {push: {branches: [main]}, pull_request: }\npermissions: {contents: read}\njobs:\n  run:\n    steps:\n" +
		"      - uses: actions/checkout@0123456789012345678901234567890123456789 # v5.0.1\n      - run: sudo .ci/run\n"
	cases := map[string]struct {
		old, new string
		faults   int
	}{
		"as it should be":     {"", "", 0},
		"not YAML":            {"on: {", "on: [", 1},
		"no pull requests":    {"pull_request", "schedule", 1},
		"no pushes":           {"push:", "release:", 1},
		"another command":     {".ci/run", "go test ./...", 1},
		"a branch":            {"0123456789012345678901234567890123456789 # v5.0.1", "v5", 1},
		"a commit of nothing": {" # v5.0.1", "", 1},
		"a token that writes": {"contents: read", "contents: write", 1},
		"a job that writes":   {"  run:\n", "  run:\n    permissions: {contents: write}\n", 1},
		"a default token":     {"permissions: {contents: read}\n", "", 1},
		"for tags":            {"on: {push: {branches: [main]}, pull_request: }", "on: {push: {tags: ['v*']}}", 1}, // it runs .ci/run alone
		"tags and pulls":      {"push: {branches: [main]}", "push: {tags: ['v*']}", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			tree := fstest.MapFS{".github/workflows/ci.yml": {Data: []byte(text)}}
			if got, _ := workflowFaults(t, tree); len(got) != c.faults {
				t.Errorf("got %q, want %d", got, c.faults)
			}
		})
	}
}

// workflow is the part of a GitHub Actions workflow that the rule is about.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Permissions map[string]string `yaml:"permissions"`
		Steps       []struct {
			Run string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

var (
	usesAction   = regexp.MustCompile(`(?m)^\s*-?\s*uses:\s*(.*)$`)
	pinnedAction = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

func workflowFaults(t *testing.T, tree fs.FS) (faults []string, workflows int) {
	t.Helper()
	err := fs.WalkDir(tree, ".github", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yml" && path.Ext(name) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		var document any
		if err := yaml.Unmarshal(text, &document); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", name, err))
			return nil
		}
		if path.Dir(name) == ".github/workflows" {
			workflows++
			for _, fault := range checkWorkflow(text) {
				faults = append(faults, name+": "+fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults, workflows
}

func checkWorkflow(text []byte) (faults []string) {
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		return []string{err.Error()}
	}
	push, _ := w.On["push"].(map[string]any)
	release := len(w.On) == 1 && len(push) == 1 && push["tags"] != nil
	wanted := ".ci/run"
	if release {
		wanted = "./deploy/release"
	}
	for _, event := range []string{"push", "pull_request"} {
		if _, ok := w.On[event]; !ok && !release {
			faults = append(faults, "does not run on "+event)
		}
	}
	if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		faults = append(faults, "permissions are not `contents: read` alone")
	}
	runs := false
	for _, job := range w.Jobs {
		if len(job.Permissions) > 0 && (!release || len(w.Jobs) > 1) {
			faults = append(faults, "a job has permissions of its own")
		}
		for _, step := range job.Steps {
			fields := strings.Fields(step.Run)
			runs = runs || len(fields) > 0 && (fields[len(fields)-1] == wanted || release && slices.Contains(fields, wanted))
		}
	}
	if !runs {
		faults = append(faults, "no step runs "+wanted)
	}
	for _, m := range usesAction.FindAllStringSubmatch(string(text), -1) {
		if !pinnedAction.MatchString(m[1]) {
			faults = append(faults, "not pinned as OWNER/NAME@COMMIT # vX.Y.Z: "+m[1])
		}
	}
	return faults
}
