package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// probeLimit bounds one request of a check.
	probeLimit = 10 * time.Second
	// probeBytes bounds what is read of an answer, which is a problem of ours.
	probeBytes = 64 << 10
	// clockLimit is how far the orchestrator lets a heartbeat be off.
	clockLimit = 30 * time.Second
)

// reply is what a probe was answered.
type reply struct {
	status int
	code   string
	hint   string // printable
	date   time.Time
}

// askOrchestrator registers with a dispatch token that cannot be one, so that nothing
// changes there: the token's scope and the node's address are judged before it.
func (j *joining) askOrchestrator(ctx context.Context, networks []string) error {
	body, err := json.Marshal(nodeapi.RegisterRequest{
		NodeID: j.nodeID, Address: j.address, Pools: []nodeapi.Pool{}, DispatchToken: "no token",
		Capabilities: nodeapi.Capabilities{GPUs: []nodeapi.GPU{}},
	})
	if err != nil {
		return err
	}
	got, err := j.probe(ctx, http.MethodPost, j.orchestrator+"/v2/nodes/register", j.token, body)
	if err != nil {
		return j.unreachable(err, j.orchestrator)
	}
	switch {
	case got.status == http.StatusUnauthorized:
		return fmt.Errorf("it does not know the token of %s (%s): have its operator make one with `llorch authmin token new %s nodes`", j.tokenFile, got.code, j.nodeID)
	case got.status == http.StatusForbidden:
		return fmt.Errorf("the token of %s may not register nodes (%s): it needs scope nodes", j.tokenFile, got.code)
	case got.code == "NODE_ADDRESS_REFUSED":
		j.say("  ok          reached, and the token is of scope nodes")
		j.say("  not yet     it does not connect to %s: %s", j.address, got.hint)
		j.outside = true
		j.left = append(j.left, "have the orchestrator's operator allow this node: "+j.allowance(networks))
	case got.status == http.StatusUnprocessableEntity && got.code == "INVALID_NODE":
		j.say("  ok          reached, the token is of scope nodes, and it connects to %s", j.address)
	case got.status/100 == 3:
		return errors.New("it answers with a redirect, which is not followed: name the URL that it leads to")
	default:
		return fmt.Errorf("it answers %d %s: %s", got.status, got.code, got.hint)
	}
	if off := time.Since(got.date); !got.date.IsZero() && off.Abs() > clockLimit {
		return fmt.Errorf("the clocks differ by %s, and the orchestrator refuses heartbeats that are more than %s off: set this machine's clock", off.Abs().Round(time.Second), clockLimit)
	}
	return nil
}

func (j *joining) allowance(networks []string) string {
	if len(networks) == 0 {
		return "its name must resolve there"
	}
	return "the line node_networks above, and a restart"
}

// askGateway asks this node's gateway for its pools, as the orchestrator will. It can
// see neither a firewall on the way nor what the name resolves to elsewhere.
func (j *joining) askGateway(ctx context.Context) error {
	if j.dryRun {
		return nil
	}
	got, err := j.probe(ctx, http.MethodGet, j.address+"/pools", j.dispatch, nil)
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		j.say("  not yet     %s does not resolve", hostOfURL(j.address))
		j.left = append(j.left, j.startLines())
		return nil
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		j.say("  not yet     nothing listens on port %s", portOfURL(j.address))
		j.left = append(j.left, j.startLines())
		return nil
	case err != nil:
		return j.unreachable(err, j.address)
	case got.status == http.StatusOK:
		j.say("  ok          the gateway and the pool manager answer to the orchestrator's token")
	case got.status == http.StatusUnauthorized || got.status == http.StatusForbidden:
		return fmt.Errorf("it refuses the token of %s (%d %s): another gateway answers there, or it does not run %s/Caddyfile", dispatchTokenFile, got.status, got.code, j.dir)
	case got.status == http.StatusBadGateway:
		j.say("  not yet     the gateway answers, and the pool manager does not (502)")
		j.left = append(j.left, j.startLines())
	default:
		return fmt.Errorf("it answers %d %s: %s", got.status, got.code, got.hint)
	}
	return nil
}

// networks are the addresses of this node's gateway, as lines of node_networks.
func (j *joining) networks(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	host := hostOfURL(j.address)
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		j.left = append(j.left, fmt.Sprintf("have %s resolve, here and at the orchestrator, which connects to it", host))
		return nil
	}
	var networks []string
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.IsLoopback() {
			continue
		}
		networks = append(networks, fmt.Sprintf("%s/%d", ip.WithZone(""), ip.BitLen()))
	}
	return networks
}

// probe sends one request, follows no redirect and uses no proxy.
func (j *joining) probe(ctx context.Context, method, url string, token authmin.Secret, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: j.authorities}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	var problem struct{ Code, Hint, Detail string }
	content, err := io.ReadAll(io.LimitReader(response.Body, probeBytes))
	if err != nil {
		return reply{}, err
	}
	if json.Unmarshal(content, &problem) != nil {
		problem.Hint = "not an answer of an orchestrator's gateway"
	}
	date, _ := http.ParseTime(response.Header.Get("Date"))
	return reply{response.StatusCode, authmin.CleanField(problem.Code, 64), authmin.CleanText(strings.TrimSpace(problem.Hint+" "+problem.Detail), 256), date}, nil
}

// unreachable says why there was no answer, and what to do.
func (j *joining) unreachable(err error, url string) error {
	host := hostOfURL(url)
	if verify, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New(certificateFault(verify.Err, host, j.ca))
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%s does not resolve: %s", host, lookup.Err)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("no answer from port %s of %s within %s: look for a firewall on the way", portOfURL(url), host, probeLimit)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens on port %s of %s: start the gateway there, or correct the URL", portOfURL(url), host)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("port %s of %s does not speak TLS: want the URL of a gateway", portOfURL(url), host)
	}
	return err
}
