package backend

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// HealthTimeout is how long a health check waits where no other time is given: a
	// container engine's own limit is 30 s.
	HealthTimeout = 5 * time.Second
	// healthBytes bounds what is read of an answer that is not 200, for its reason.
	healthBytes = 4 << 10
	// healthReason bounds the part of a reason that is shown.
	healthReason = 128
)

// HealthCheck is one GET request to a server on this machine. It follows no redirect: a
// header of Get reaches only the server at Address.
type HealthCheck struct {
	// URL is what is asked for, https or http.
	URL string
	// Address is what is connected to, in the form of [Listen]; "": the host of URL
	// where that is an address, and 127.0.0.1 where it is a name. An address such as
	// 0.0.0.0 is reached over loopback.
	Address string
	// TLS is used for https; nil: the system's authorities.
	TLS *tls.Config
}

// LocalCheck asks the server that listens there, in the form of [Listen], for a path such as
// /health.
func LocalCheck(listen, path string) HealthCheck {
	check := HealthCheck{Address: listen, URL: "http://localhost" + path}
	if !strings.HasPrefix(listen, "unix/") {
		_, address := check.destination(&url.URL{Scheme: "http"})
		check.URL = "http://" + address + path
	}
	return check
}

// Ask returns nil if the answer is 200. It sends no credential. The error says in one line
// what else happened.
func (h HealthCheck) Ask(ctx context.Context) error {
	_, err := h.Get(ctx, nil, 0)
	return err
}

// Get sends a header, which may have a credential, and returns the body of an answer with
// status 200. A body of more than limit bytes is an error, unless limit is 0.
func (h HealthCheck) Get(ctx context.Context, header http.Header, limit int64) ([]byte, error) {
	u, err := url.Parse(h.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("want a URL such as http://127.0.0.1:8080/health, without user and password")
	}
	network, address := h.destination(u)
	dialer := new(net.Dialer)
	transport := &http.Transport{
		TLSClientConfig: h.TLS, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	answer, err := client.Do(r)
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", u, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d%s", u, answer.StatusCode, reasonIn(answer))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err == nil && limit > 0 && int64(len(body)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", u, err)
	}
	return body, nil
}

// destination is what to connect to.
func (h HealthCheck) destination(u *url.URL) (network, address string) {
	if path, ok := strings.CutPrefix(h.Address, "unix/"); ok {
		return "unix", path
	}
	host, port, err := net.SplitHostPort(h.Address)
	isName := false
	if err != nil {
		host, port = u.Hostname(), u.Port()
		_, notIP := netip.ParseAddr(host)
		isName = notIP != nil
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if ip, err := netip.ParseAddr(host); isName || host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "tcp", net.JoinHostPort(host, port)
}

// reasonIn is the reason of an answer, as /ready and problems have it, ready to be
// appended.
func reasonIn(answer *http.Response) string {
	var body struct{ Reason, Code string }
	if answer.StatusCode/100 == 3 {
		return fmt.Sprintf(", a redirect to %.128q; ask for that", answer.Header.Get("Location"))
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, healthBytes))
	if err != nil || json.Unmarshal(text, &body) != nil || body.Reason+body.Code == "" {
		return ""
	}
	reason := fmt.Sprintf("%q", body.Reason+body.Code)
	return ": " + reason[1:min(len(reason)-1, healthReason)]
}

// health is the subcommand of a daemon: it asks the one that runs with the same
// configuration.
func (p Program) health(ctx context.Context, args []string, lookup Lookup, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(p.Name+" health", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "YAML `file` of the daemon that is asked")
	ready := flags.Bool("ready", false, "ask GET /ready, whether it takes work, and not GET /health")
	timeout := flags.Duration("timeout", HealthTimeout, "how long the answer may take")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("health: unexpected argument %q; see %s health --help", flags.Arg(0), p.Name)
	}
	settings := p.New().Settings()
	if _, err := ReadConfig(*file, lookup, append(settings, p.logLevel(new(string)))); err != nil {
		return err
	}
	listen, ok := settings.find(p.ListenKey)
	if !ok {
		return fmt.Errorf("health: there is no setting %q", p.ListenKey)
	}
	path := "/health"
	if *ready {
		path = "/ready"
	}
	check := LocalCheck(listen.Value.Get().(string), path)
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := check.Ask(ctx); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	_, err := fmt.Fprintf(stdout, "%s: %s answers 200\n", p.Name, check.URL)
	return err
}
