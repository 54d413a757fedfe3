package gatewaytest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A test binary that is called by the name of one of these acts as it, so that
// the commands in the documents run on a machine without systemd, Kubernetes or
// our users. Each looks at its arguments as strictly as it can, and does what can
// be done here; TestDocuments of integration says what that leaves out.
var standIns = map[string]func(args []string) int{
	curlName:     curl,
	"systemctl":  exitCode("systemctl", systemctl),
	"journalctl": exitCode("journalctl", journalctl),
	"kubectl":    exitCode("kubectl", kubectl),
	"chown":      exitCode("chown", chown),
}

// The variables that tell the stand-ins where things are: the folder that is
// /etc/llorch, /run/llorch and /var/log/llorch for them, and this repository.
const (
	StandInDir  = "LLORCH_STAND_IN_DIR"
	StandInRoot = "LLORCH_STAND_IN_ROOT"
)

func exitCode(name string, run func([]string) error) func([]string) int {
	return func(args []string) int {
		if err := run(args); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	}
}

// systemctl knows the shipped units. A reload carries out the unit's ExecReload;
// a start, stop or restart is only checked to be of a unit that there is.
func systemctl(args []string) error {
	if len(args) != 2 || !slices.Contains([]string{"start", "stop", "restart", "reload"}, args[0]) {
		return fmt.Errorf("%q is not supported here", args)
	}
	text, err := unit(args[1])
	if err != nil || args[0] != "reload" {
		return err
	}
	_, command, ok := strings.Cut(text, "\nExecReload=")
	if !ok {
		return fmt.Errorf("%s has no ExecReload", args[1])
	}
	command, _, _ = strings.Cut(command, "\n")
	dir := os.Getenv(StandInDir)
	command = strings.NewReplacer("/usr/local/bin/", "", "/etc/llorch", dir, "/run/llorch", dir, "$MAINPID", "").Replace(command)
	words := strings.Fields(command)
	if words[0] != "llorch" {
		return nil // a signal to a process that is not this unit's here
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// unit is the text of a shipped unit.
func unit(name string) (string, error) {
	root := os.Getenv(StandInRoot)
	text, err := os.ReadFile(filepath.Join(root, "deploy", "systemd", strings.TrimSuffix(name, ".service")+".service"))
	return string(text), err
}

// journalctl shows what the process of a unit has written: the file of its name
// in the folder.
func journalctl(args []string) error {
	if len(args) != 4 || args[0] != "-u" || args[2] != "-o" || args[3] != "cat" {
		return fmt.Errorf("%q is not supported here: want -u UNIT -o cat", args)
	}
	if _, err := unit(args[1]); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(os.Getenv(StandInDir), args[1]+".journal"))
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	return err
}

// kubectl makes a secret of files and applies manifests: it looks that the files
// are there, and that a manifest is one.
func kubectl(args []string) error {
	line := strings.Join(args, " ")
	switch {
	case strings.HasPrefix(line, "create secret generic ") && strings.HasSuffix(line, " --dry-run=client -o yaml"):
		fmt.Printf("apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ndata:\n", args[3])
		for _, arg := range args[4:] {
			key, path, ok := strings.Cut(strings.TrimPrefix(arg, "--from-file="), "=")
			if !strings.HasPrefix(arg, "--from-file=") || !ok {
				continue
			}
			if _, err := os.ReadFile(path); err != nil {
				return err
			}
			fmt.Printf("  %s: AA==\n", key)
		}
		return nil
	case line == "apply -f -":
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		var manifest struct {
			Kind     string `yaml:"kind"`
			Metadata struct {
				Name string `yaml:"name"`
			} `yaml:"metadata"`
		}
		if err := yaml.Unmarshal(text, &manifest); err != nil || manifest.Kind == "" || manifest.Metadata.Name == "" {
			return errors.Join(errors.New("stdin is not a manifest"), err)
		}
		fmt.Printf("%s/%s configured\n", strings.ToLower(manifest.Kind), manifest.Metadata.Name)
		return nil
	}
	return fmt.Errorf("%q is not supported here", args)
}

// chown looks that the user and group are of a shipped unit, or root, and that the
// files exist.
func chown(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%q: want USER:GROUP FILE", args)
	}
	if args[0] == "-R" {
		args = args[1:]
	}
	user, group, named := strings.Cut(args[0], ":")
	if named && group == "" { // USER: is the user's own group
		group = user
	}
	for _, name := range []string{user, group} {
		if name != "root" && !slices.Contains([]string{"llorch-gateway", "llorch-orchestrator", "llorch-poolmanager"}, name) {
			return fmt.Errorf("no unit runs as %q", name)
		}
	}
	for _, path := range args[1:] {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	return nil
}
