package integration_test

import (
	"fmt"
	"strings"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// withToken is how a step names the token that it sends.
const withToken = `(without a token|with my token|with an unknown token|with the token of "[^"]*")`

func (s *scenario) registerCalls(sc *godog.ScenarioContext) {
	const what = `^I (GET|POST|DELETE) "([^"]*)" `
	sc.Step(what+withToken+`$`, s.callWith)
	sc.Step(what+`(\d+) times `+withToken+`$`, s.callTimes)
	sc.Step(what+withToken+` and the body:$`, s.callWithBody)
	sc.Step(what+`with the headers:$`, s.callWithHeaders)
	sc.Step(what+`and my token, without a header$`, s.callWithQuery)
	sc.Step(what+`without a token and with the header "([^"]*)"$`, s.callWithHeader)
	sc.Step(`^I call from another address$`, s.callFromAnotherAddress)
	sc.Step(`^I call the gateway of the node "([^"]*)"$`, s.useNode)
	sc.Step(`^I call the (orchestrator|pool manager) itself$`, s.useBackend)
	sc.Step(`^a gateway with AUTH_OPTIONAL=true$`, s.useLocal)
	sc.Step(`^a gateway without AUTH_OPTIONAL$`, s.useEdge)
	sc.Step(`^I call the gateway in front of the orchestrator$`, s.useEdge)
}

// client is the place that the scenario calls, with the credential of a step.
func (s *scenario) client(credential string) (gatewaytest.Client, error) {
	name, named := strings.CutPrefix(credential, `with the token of "`)
	switch {
	case named:
		token, ok := s.fleet.tokens[strings.TrimSuffix(name, `"`)]
		if !ok {
			return s.at, fmt.Errorf("the scenarios have no token of that name: %s", credential)
		}
		return s.at.As(token), nil
	case credential == "with my token":
		return s.mine, nil
	case credential == "with an unknown token":
		return s.at.As(s.unknown), nil
	}
	return s.at, nil
}

func (s *scenario) call(c gatewaytest.Client, method, path, body string, headers ...string) (err error) {
	s.presented = c.Token
	s.answer, err = c.Do(method, s.expand(path), s.expand(body), headers...)
	return err
}

func (s *scenario) callWith(method, path, credential string) error {
	return s.callText(method, path, credential, "")
}

func (s *scenario) callWithBody(method, path, credential string, body *godog.DocString) error {
	return s.callText(method, path, credential, body.Content)
}

func (s *scenario) callText(method, path, credential, body string) error {
	c, err := s.client(credential)
	if err != nil {
		return err
	}
	return s.call(c, method, path, body)
}

func (s *scenario) callTimes(method, path string, times int, credential string) error {
	for range times {
		if err := s.callText(method, path, credential, ""); err != nil {
			return err
		}
	}
	return nil
}

// callWithHeaders sends the rows of a table as header lines, in their order, and
// a task as the body of a POST.
func (s *scenario) callWithHeaders(method, path string, table *godog.Table) error {
	rows, err := s.rows(table)
	if err != nil {
		return err
	}
	var lines []string
	presented := ""
	for _, row := range rows {
		lines = append(lines, row[0]+": "+row[1])
		if token, ok := strings.CutPrefix(row[1], "Bearer "); ok {
			presented = token
		}
	}
	body := ""
	if method == "POST" {
		body = taskFor("demo", 1)
	}
	err = s.call(s.at, method, path, body, lines...)
	s.presented = presented
	return err
}

func (s *scenario) callWithQuery(method, path string) error {
	err := s.call(s.at, method, path+s.mine.Token, "")
	s.presented = s.mine.Token
	return err
}

func (s *scenario) callWithHeader(method, path, header string) error {
	return s.call(s.at, method, path, "", header)
}

func (s *scenario) callFromAnotherAddress() {
	address := s.fleet.newAddress()
	s.addresses = append(s.addresses, address)
	s.at.From, s.mine.From = address, address
}

func (s *scenario) useNode(name string) error {
	n, ok := s.fleet.nodes[name]
	if !ok {
		return fmt.Errorf("there is no node %q", name)
	}
	s.use("http://" + n.site)
	return nil
}

func (s *scenario) useBackend(name string) {
	if name == "orchestrator" {
		s.use(s.fleet.orchestrator)
		return
	}
	s.use("http://" + s.fleet.nodes["node1"].address)
}

func (s *scenario) useLocal() (err error) {
	s.use(s.fleet.local)
	s.trail, err = openTrail(s.fleet.auditFile("local"))
	return err
}

func (s *scenario) useEdge() (err error) {
	s.use(s.fleet.edge)
	s.trail, err = openTrail(s.fleet.auditFile("audit"))
	return err
}
