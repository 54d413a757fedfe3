package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	"github.com/llorch/gateway/poolmanager"
)

// standaloneSteps are the instructions that --print-config prints above the Caddyfile:
// the variables, the pool manager's file, and the three commands that run the parts of
// up as separate programs. They are comments, so that the whole output is a Caddyfile; a
// line that begins with a tab is for a shell.
func standaloneSteps(o upOptions, client clientToken) (string, error) {
	options, err := poolManagerOptions(o, credentials{node: authmin.RandomSecret()})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("What `llorch up` runs, as three programs. Save this as Caddyfile, and paste into the\nshell of each of them:\n\n")
	fmt.Fprintf(&b, "\tmkdir -p -m 0700 %s %s\n", shellQuote(o.dataDir), shellQuote(o.budgetsDir()))
	tokens := filepath.Join(o.dataDir, "internal.env")
	fmt.Fprintf(&b, "\ttest -e %[1]s || (umask 077; for name in %[2]s %[3]s LLORCH_POOL_TOKEN; do echo export $name=$(openssl rand -hex 32); done > %[1]s)\n", shellQuote(tokens), envUpstreamToken, envNodeToken)
	fmt.Fprintf(&b, "\t. %s\n", shellQuote(tokens))
	if client.fromEnv {
		fmt.Fprintf(&b, "\nThe clients' token is %s, and the gateway alone needs it.\n", caddymodule.EnvToken)
	} else {
		fmt.Fprintf(&b, "\nThe clients' token, once, if `llorch up` has made none:\n\n\ttest -e %[1]s || llorch authmin token new %[2]s admin --file %[1]s\n", shellQuote(client.keyring), ownerName)
	}
	file := filepath.Join(o.dataDir, "poolmanagerd.yaml")
	fmt.Fprintf(&b, "\nThe pool manager's file:\n\n\tprintf '%%s\\n' %s > %s\n", poolFileLines(options), shellQuote(file))
	b.WriteString("\nThe three commands, each in its shell:\n\n\tllorch run --config Caddyfile\n")
	fmt.Fprintf(&b, "\tenv -u %s ORCHD_ADDR=%s ORCHD_STATE_DIR=%s orchestratord\n", caddymodule.EnvToken, o.orchestratorAddr(), shellQuote(filepath.Join(o.dataDir, "orchestrator")))
	fmt.Fprintf(&b, "\t%s=$LLORCH_POOL_TOKEN POOL_MANAGERD_DISPATCH_TOKEN=$LLORCH_POOL_TOKEN ORCHESTRATORD_TOKEN=$%s ORCHESTRATORD_URL=%s POOL_MANAGERD_ADDR=%s poolmanagerd --config %s\n",
		caddymodule.EnvToken, envNodeToken, o.url(), o.poolManagerAddr(), shellQuote(file))
	return commentOut(b.String()), nil
}

// poolFileLines are the lines of the pool manager's file, each a word of a shell.
func poolFileLines(o poolmanager.Options) string {
	template, pool := o.Templates[0], o.Preload[0]
	lines := []string{"node_id: " + o.NodeID, "runtime_dir: " + yamlText(o.RuntimeDir)}
	if o.ModelRoot != "" {
		lines = append(lines, "model_root: "+yamlText(o.ModelRoot))
	}
	lines = append(lines, "templates:", "  - name: "+yamlText(template.Name), "    base: "+template.Name)
	if template.URL != "" {
		lines = append(lines, "    url: "+yamlText(template.URL))
	}
	lines = append(lines, "preload:", "  - pool_id: "+pool.PoolID, "    template: "+yamlText(pool.Template))
	if pool.ModelRef != "" {
		lines = append(lines, "    model_ref: "+yamlText(pool.ModelRef))
	}
	for i, line := range lines {
		lines[i] = shellQuote(line)
	}
	return strings.Join(lines, " ")
}

// yamlText is a text in YAML, whatever is in it.
func yamlText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// shellQuote is a text as one word of a shell.
func shellQuote(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._:-") == "" && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func commentOut(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "\t"):
			b.WriteString("#" + line)
		case line == "\n":
			b.WriteString("#\n")
		default:
			b.WriteString("# " + line)
		}
	}
	return b.String()
}
