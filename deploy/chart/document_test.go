package chart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands that only a cluster could carry out: what kubectl would put into a Secret
// becomes a directory of its name, and helm notes its arguments.
const standIns = `
kubectl() {
	if [ "$1 $2" = "create namespace" ] && [ $# = 3 ]; then return 0; fi
	[ "$1 $2 $3 $4 $5" = "--namespace ai create secret generic" ] || { echo "kubectl: not supported here: $*" >&2; return 1; }
	local into=$MOUNTS/$6 one
	shift 6
	mkdir -p "$into"
	for one in "$@"; do
		one=${one#--from-file=}
		cp "${one#*=}" "$into/${one%%=*}" || return 1
	done
}
helm() { echo "$*" >"$MOUNTS/helm"; }
`

// document is what deploy/docs/kubernetes.md has made, once its commands were run.
type document struct {
	mounts string // a directory for each Secret
	values []string
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// runDocument runs the commands of the document in an empty directory.
func runDocument(t *testing.T, bin string) document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	home, d := t.TempDir(), document{mounts: t.TempDir()}
	script := "set -eu\n" + standIns
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		switch block[1] {
		case "sh":
			script += strings.ReplaceAll(block[2], "deploy/", root+"/deploy/") + "\n"
		case "yaml":
			d.values = append(d.values, block[2])
		default:
			t.Errorf("a block of %q is not run", block[1])
		}
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = home, append(os.Environ(), "MOUNTS="+d.mounts, "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if helm, err := os.ReadFile(filepath.Join(d.mounts, "helm")); err != nil || !strings.HasPrefix(string(helm), "install llorch "+root+"/deploy/chart/llorch --namespace ai ") {
		t.Errorf("helm was called with %q (%v)", helm, err)
	}
	if len(d.values) != 2 {
		t.Fatalf("%d blocks of values, want 2", len(d.values))
	}
	return d
}

// mount links the Secrets of a pod to where its containers have them.
func (d document) mount(t *testing.T, root string, pod object) {
	t.Helper()
	secrets := map[string]string{}
	for _, v := range pod.list("spec", "volumes") {
		if name := v.text("secret", "secretName"); name != "" {
			secrets[v.text("name")] = name
		}
	}
	for _, c := range pod.list("spec", "containers") {
		for _, m := range c.list("volumeMounts") {
			name, ok := secrets[m.text("name")]
			if !ok {
				continue
			}
			at := filepath.Join(root, m.text("mountPath"))
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(d.mounts, name)); err != nil {
				t.Errorf("the document makes no Secret %s", name)
			}
			if err := os.Symlink(filepath.Join(d.mounts, name), at); err != nil && !os.IsExist(err) {
				t.Fatal(err)
			}
		}
	}
}
