package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, doctorCommand)
}

func doctorCommand() *cobra.Command {
	var config, proc string
	cmd := &cobra.Command{
		Use:   "doctor [--config CADDYFILE]",
		Short: "Finds problems of this machine and a configuration, with their fixes",
		Long: `
Checks the configuration (addresses, plain HTTP, admin endpoint, secrets, files and
their directories) and this machine (tunnels, engines that other machines can reach, an
Ollama that uses ollama.com, an admin endpoint on TCP). Run it as the gateway's user, with its environment. Exit
status 1 when there is a problem. It prints no secret.`,
		Args: arguments(0, 0, "no argument; the configuration goes with --config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{host: host{proc: proc, getenv: os.LookupEnv}}
			if config != "" {
				s, err := readSettings(config)
				if err != nil {
					return err
				}
				d.settings = s
			}
			d.examine()
			return d.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "The Caddyfile, or a JSON configuration")
	cmd.Flags().StringVar(&proc, "proc", "/proc", "Where the machine's proc file system is, seen from a container")
	return cmd
}

// doctor collects findings. Its settings are nil without a configuration.
type doctor struct {
	host
	settings *settings
	bypass   bool // AUTH_OPTIONAL: this machine needs no token
	findings []diagnosis
}

// host is this machine; tests give another.
type host struct {
	proc   string
	getenv func(string) (string, bool)
}

// Degrees of a diagnosis.
const (
	fine    = "ok"
	note    = "note"
	problem = "problem"
)

// diagnosis is one line of the report.
type diagnosis struct {
	degree string
	what   string
	fix    string
}

func (d *doctor) ok(format string, args ...any) {
	d.findings = append(d.findings, diagnosis{degree: fine, what: fmt.Sprintf(format, args...)})
}

func (d *doctor) note(what, fix string) {
	d.findings = append(d.findings, diagnosis{degree: note, what: what, fix: fix})
}

func (d *doctor) problem(what, fix string) {
	d.findings = append(d.findings, diagnosis{degree: problem, what: what, fix: fix})
}

func (d *doctor) examine() {
	if d.settings != nil {
		d.examineRoutes()
		d.examineAdmin()
	}
	d.examineButLint()
	d.examineCloud()
}

// examineButLint leaves out the checks that lint does with line numbers.
func (d *doctor) examineButLint() {
	d.examineBypass()
	if d.settings != nil {
		d.examineListeners()
		d.examineSecrets()
		d.examineFiles()
	} else {
		d.note("no configuration was checked", "name it: authmin doctor --config CADDYFILE")
		d.examineAmbientToken()
	}
	d.examineTunnels()
	d.examineSockets()
}

// examineRoutes runs lint, whose own report has the lines.
func (d *doctor) examineRoutes() {
	findings, err := lint(d.settings.file)
	if err != nil {
		d.problem(err.Error(), "correct the configuration")
		return
	}
	errors := 0
	for _, f := range findings {
		if !f.warning {
			errors++
		}
	}
	if errors > 0 {
		d.problem(fmt.Sprintf("lint finds %d errors in %s", errors, d.settings.file), "authmin lint --config "+d.settings.file)
		return
	}
	d.ok("every proxied route of %s has a guard", d.settings.file)
}

func (d *doctor) print(out io.Writer) error {
	wrong := 0
	for _, f := range d.findings {
		if f.degree == problem {
			wrong++
		}
		text := fmt.Sprintf("%-8s %s\n", f.degree, f.what)
		if f.fix != "" {
			text += fmt.Sprintf("%-8s fix: %s\n", "", f.fix)
		}
		if _, err := io.WriteString(out, text); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("doctor: problems found: %d", wrong)
	}
	return nil
}
