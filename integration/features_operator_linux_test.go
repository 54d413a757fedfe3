package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

func (s *scenario) registerOperator(sc *godog.ScenarioContext) {
	sc.Step(`^the operator runs "llorch ([^"]*)", which prints the token "([^"]*)"$`, s.makeToken)
	sc.Step(`^the operator runs "llorch ([^"]*)"$`, s.runWell)
	sc.Step(`^the keyring file is overwritten with "([^"]*)"$`, s.spoilKeyring)
	sc.Step(`^I start llorch with the Caddyfile:$`, s.startWithout)
	sc.Step(`^I start llorch with a token and the Caddyfile:$`, s.startWith)
	sc.Step(`^I start (orchestratord|poolmanagerd) at "([^"]*)" without a token$`, s.startBackend)
	sc.Step(`^the operator reloads with one more site:$`, s.reloadWith)
	sc.Step(`^it ends with an error$`, s.endedWithError)
	sc.Step(`^it ends well$`, s.endedWell)
	sc.Step(`^it says "([^"]*)"$`, s.says)
	sc.Step(`^nothing listens at the port$`, s.nothingListens)
}

// endLimit bounds a command; the longest asks the gateway for 5 s.
const endLimit = 30 * time.Second

// run carries a command out to its end.
func (s *scenario) run(cmd *exec.Cmd) (stdout string, err error) {
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &all
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(endLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return "", err
	}
	s.exitCode, s.output = cmd.ProcessState.ExitCode(), all.String()+out.String()
	if s.exitCode < 0 {
		return "", fmt.Errorf("it did not end in %v:\n%s", endLimit, s.output)
	}
	return out.String(), nil
}

// runWell runs a command of llorch's on the fleet's configuration.
func (s *scenario) runWell(line string) error {
	_, err := s.operate(line)
	return err
}

func (s *scenario) operate(line string) (string, error) {
	args := append(strings.Fields(line), "--config", s.fleet.path("Caddyfile"))
	stdout, err := s.run(gatewaytest.CommandOf(s.fleet.t, "llorch", s.fleet.env, args...))
	if err != nil {
		return "", err
	}
	return stdout, s.endedWell()
}

func (s *scenario) makeToken(line, name string) error {
	stdout, err := s.operate(line)
	if err != nil {
		return err
	}
	token := strings.TrimSpace(stdout)
	if token == "" || strings.ContainsAny(token, " \n") {
		return fmt.Errorf("stdout is not one token alone, but %d bytes", len(stdout))
	}
	if _, taken := s.fleet.tokens[name]; taken {
		return fmt.Errorf("the scenarios have two tokens %q", name)
	}
	s.fleet.tokens[name] = token
	return nil
}

func (s *scenario) spoilKeyring(text string) (err error) {
	if s.fleet.keyring, err = os.ReadFile(s.fleet.path("tokens")); err != nil {
		return err
	}
	return os.WriteFile(s.fleet.path("tokens"), []byte(text), 0o600)
}

// freePort sets {port} to one that is free on all addresses.
func (s *scenario) freePort() {
	_, port, _ := net.SplitHostPort(testkit.FreeAddressOn(s.fleet.t, "0.0.0.0"))
	s.vars["port"] = port
}

func (s *scenario) startWithout(config *godog.DocString) error { return s.startLlorch(nil, config) }
func (s *scenario) startWith(config *godog.DocString) error    { return s.startLlorch(ownerEnv, config) }

func (s *scenario) startLlorch(env []string, config *godog.DocString) error {
	s.freePort()
	s.fleet.write("started.Caddyfile", s.expand(config.Content)+"\n")
	args := []string{"run", "--adapter", "caddyfile", "--config", s.fleet.path("started.Caddyfile")}
	_, err := s.run(gatewaytest.CommandOf(s.fleet.t, "llorch", env, args...))
	return err
}

func (s *scenario) startBackend(program, address string) error {
	s.freePort()
	address = s.expand(address)
	_, err := s.run(gatewaytest.CommandOf(s.fleet.t, program, []string{
		"ORCHD_ADDR=" + address, "ORCHD_STATE_DIR=" + s.fleet.path("started"),
		"POOL_MANAGERD_ADDR=" + address, "POOL_MANAGERD_RUNTIME_DIR=" + s.fleet.path("started"),
	}))
	return err
}

func (s *scenario) reloadWith(site *godog.DocString) error {
	s.freePort()
	config, err := os.ReadFile(s.fleet.path("Caddyfile"))
	if err != nil {
		return err
	}
	s.fleet.write("reloaded.Caddyfile", string(config)+"\n"+s.expand(site.Content)+"\n")
	args := []string{"reload", "--adapter", "caddyfile", "--config", s.fleet.path("reloaded.Caddyfile"), "--address", "unix/" + s.fleet.path("admin.sock")}
	_, err = s.run(gatewaytest.CommandOf(s.fleet.t, "llorch", s.fleet.env, args...))
	return err
}

func (s *scenario) endedWithError() error {
	if s.exitCode == 0 {
		return fmt.Errorf("exit code 0:\n%s", s.output)
	}
	return nil
}

func (s *scenario) endedWell() error {
	if s.exitCode != 0 {
		return fmt.Errorf("exit code %d:\n%s", s.exitCode, s.output)
	}
	return nil
}

func (s *scenario) says(words string) error {
	if words = s.expand(words); !strings.Contains(s.output, words) {
		return fmt.Errorf("it does not say %q:\n%s", words, s.output)
	}
	return nil
}

func (s *scenario) nothingListens() error {
	address := net.JoinHostPort("127.0.0.1", s.vars["port"])
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("%s accepts connections", address), conn.Close())
	}
	return nil
}
