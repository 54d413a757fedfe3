package page

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

func init() {
	caddy.RegisterModule(new(Page))
}

// Page is the handler `http.handlers.authmin_page`. It belongs behind the guard that the
// directive authmin_page makes.
type Page struct {
	// The orchestrator's URL, for nodes, pools and tasks: http on a loopback address, or
	// https. Default: none of these are shown.
	Orchestrator string `json:"orchestrator,omitempty"`

	// Absolute path of a PEM file with the certificate authorities of the
	// orchestrator. Default: those of the system.
	OrchestratorCA string `json:"orchestrator_ca,omitempty"`

	app      *caddymodule.App
	readers  *readers
	upstream *upstream // nil: none
	paces    paces
}

// CaddyModule implements [caddy.Module].
func (*Page) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers." + caddymodule.PageHandler, New: func() caddy.Module { return new(Page) }}
}

// Provision finds the gateway's app, and checks the orchestrator's address.
func (p *Page) Provision(ctx caddy.Context) error {
	app, err := ctx.App(caddymodule.AppName)
	if err != nil {
		return err
	}
	p.app = app.(*caddymodule.App)
	p.readers, p.paces = allReaders, defaultPaces
	if p.Orchestrator == "" && p.OrchestratorCA != "" {
		return errors.New("authmin_page: orchestrator_ca without orchestrator")
	}
	if p.Orchestrator != "" {
		if p.upstream, err = newUpstream(p.Orchestrator, p.OrchestratorCA); err != nil {
			return fmt.Errorf("authmin_page: %w", err)
		}
	}
	return nil
}

// Validate refuses a page in a configuration that was not checked for one.
func (p *Page) Validate() error {
	if p.app.Watch() == nil {
		return errors.New("authmin_page: it is not in the configuration of app http, where authmin could check that it has a site of its own")
	}
	return nil
}

// Cleanup closes the connections to the orchestrator that are not in use.
func (p *Page) Cleanup() error {
	if p.upstream != nil {
		p.upstream.client.CloseIdleConnections()
	}
	return nil
}

// ServeHTTP answers with a file, or with data for the holder of a token.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	setHeaders(w.Header())
	if file, ok := files[r.URL.Path]; ok {
		file.serve(w, r)
		return nil
	}
	caller, ok := caddymodule.CallerOf(r.Context())
	if !ok {
		authmin.WriteProblem(w, r, authmin.ProblemMissingToken)
		return nil
	}
	if r.Method != http.MethodGet {
		authmin.WriteProblem(w, r, problemNotFound)
		return nil
	}
	if r.URL.Path == livePath {
		return p.live(w, r, caller)
	}
	if id, ok := taskOf(r.URL.Path); ok && p.upstream != nil {
		return p.taskEvents(w, r, caller, id)
	}
	authmin.WriteProblem(w, r, problemNotFound)
	return nil
}

// The routes of data. The guard of the directive has a rule for each.
const (
	livePath   = "/data/live"
	tasksPath  = "/data/tasks/"
	eventsPath = "/events"
)

// taskOf returns the id in the path of a task's events.
func taskOf(path string) (id string, ok bool) {
	id, ok = strings.CutPrefix(path, tasksPath)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, eventsPath)
	return id, ok && isID(id)
}

// maxID bounds the id of a task: that of a UUID, and some more.
const maxID = 64

// isID reports whether a text may be an id of a task: it becomes a part of a URL.
func isID(text string) bool {
	return text != "" && len(text) <= maxID && strings.Trim(text, "0123456789abcdefABCDEF-") == ""
}

var problemNotFound = authmin.Problem{
	Status: http.StatusNotFound, Code: "PAGE_NOT_FOUND", CodeNumber: 40470,
	Title: "The page has no such data", Hint: "Reload the page.",
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Page)(nil)
	_ caddy.Validator             = (*Page)(nil)
	_ caddy.CleanerUpper          = (*Page)(nil)
	_ caddyhttp.MiddlewareHandler = (*Page)(nil)
)
