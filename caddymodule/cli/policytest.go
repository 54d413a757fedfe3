package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func init() {
	subcommands = append(subcommands, policyTestCommand)
}

func policyTestCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "test --config CADDYFILE POLICY_TEST.yaml",
		Short: "Compares the policy's decisions with expected ones",
		Long: `
The file is a list of requests with their expected decisions:

  - {method: GET, path: /health, expect: allow}
  - {method: GET, path: /v1/models, expect: 401}
  - {method: GET, path: /v1/models, scopes: [infer], expect: allow}
  - {guard: edge, method: GET, path: /metrics, token: ci, expect: 403}

A path may be a whole URL, to choose the site. Exit status 1 when one differs.`,
		Args: arguments(1, 1, "one file of expected decisions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(config)
			if err != nil {
				return err
			}
			cases, err := readPolicyTest(args[0])
			if err != nil {
				return err
			}
			return runPolicyTest(cmd.OutOrStdout(), cmd.ErrOrStderr(), s, args[0], cases, time.Now())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "The Caddyfile, or a JSON configuration")
	return cmd
}

// policyCase is one expected decision.
type policyCase struct {
	Guard  string   `yaml:"guard"`
	Method string   `yaml:"method"`
	Path   string   `yaml:"path"`
	Scopes []string `yaml:"scopes"`
	Token  string   `yaml:"token"`
	Expect string   `yaml:"expect"`

	line int
}

// UnmarshalYAML notes the line.
func (c *policyCase) UnmarshalYAML(node *yaml.Node) error {
	type plain policyCase
	known := []string{"guard", "method", "path", "scopes", "token", "expect"}
	for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
		if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+node.Content[i].Value+" ") {
			return fmt.Errorf("line %d: unknown field %q; want %s", node.Content[i].Line, node.Content[i].Value, strings.Join(known, ", "))
		}
	}
	c.line = node.Line
	return node.Decode((*plain)(c))
}

func readPolicyTest(path string) ([]policyCase, error) {
	body, err := readText(path)
	if err != nil {
		return nil, fmt.Errorf("reading policy test: %w", err)
	}
	var cases []policyCase
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&cases); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading policy test: %s: %w", path, err)
	}
	if decoder.Decode(new(yaml.Node)) == nil {
		return nil, fmt.Errorf("reading policy test: %s: more than one document; write one list", path)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("reading policy test: %s: it expects nothing; write a list of requests, see test --help", path)
	}
	for i := range cases {
		if err := cases[i].check(); err != nil {
			return nil, fmt.Errorf("reading policy test: %s:%d: %w", path, cases[i].line, err)
		}
	}
	return cases, nil
}

func (c *policyCase) check() error {
	switch {
	case c.Method == "" || c.Path == "":
		return errors.New("want method and path")
	case c.Token != "" && c.Scopes != nil:
		return errors.New("want token or scopes, not both")
	}
	switch c.Expect {
	case "allow", "400", "401", "403":
		return nil
	}
	return errors.New("want expect: allow, 400, 401 or 403")
}

// runPolicyTest decides every case, prints those that differ, and fails when one
// does.
func runPolicyTest(out, stderr io.Writer, s *settings, path string, cases []policyCase, now time.Time) error {
	failed := 0
	for i := range cases {
		c := &cases[i]
		q := question{guard: c.Guard, method: c.Method, url: c.Path, token: c.Token}
		if c.Scopes != nil {
			q.scopes = []authmin.Scope{}
			for _, scope := range c.Scopes {
				q.scopes = append(q.scopes, authmin.Scope(scope))
			}
		}
		a, err := s.ask(&q, now)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, c.line, err)
		}
		got := "allow"
		if !a.decision.Allow {
			got = strconv.Itoa(a.status())
		}
		if got == c.Expect {
			continue
		}
		failed++
		if _, err := fmt.Fprintf(out, "%s:%d: %s %s: got %s, want %s: %s; rule `%s` at %s\n",
			path, c.line, c.Method, c.Path, got, c.Expect, a.why(), a.rule, a.at); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("test: %s: %d of %d decisions differ", path, failed, len(cases))
	}
	_, _ = fmt.Fprintf(stderr, "test: %s: %d decisions as expected\n", path, len(cases))
	return nil
}
