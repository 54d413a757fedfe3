package caddymodule

// danger is what it means that a handler is reached by requests that no guard
// has decided.
type danger uint8

const (
	harmless danger = iota // answers by itself, or only prepares
	exposes                // serves this machine's files: usual, but worth a look
	proxies                // hands the request to a service, or to what lint does not know
)

// classify knows the handlers of Caddy's standard distribution. Everything else
// counts as one that proxies: nobody can tell what it does.
//
// A site of files is often meant for everybody, so it is a warning. Metrics are
// not: they tell about the service behind the guard.
func classify(handler string) danger {
	switch handler {
	case "static_response", "error", "headers", "rewrite", "vars", "map", "encode", "request_body", "timeouts",
		"log_append", "tracing", "authentication", "intercept", "push", "copy_response", "copy_response_headers",
		"subroute", "invoke", AppName:
		return harmless
	case "file_server", "templates", "acme_server":
		return exposes
	}
	return proxies
}

// ReachesService reports whether the handler passes requests on to a service, or to
// something that authmin does not know. Other open handlers serve this machine's files.
func (h RouteHandler) ReachesService() bool { return classify(h.Name) == proxies }

// Serves says what the handler gives away where no guard is before it.
func (h RouteHandler) Serves() string {
	switch h.Name {
	case "reverse_proxy":
		return "a service behind this gateway"
	case "metrics":
		return "the gateway's metrics"
	case "file_server":
		return "files of this machine"
	case "templates":
		return "templates, which can read files and the environment"
	case "acme_server":
		return "certificates of the internal authority"
	}
	return "something unknown to authmin"
}
