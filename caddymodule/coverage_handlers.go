package caddymodule

// exposure is what a handler exposes to requests that no guard has decided.
type exposure uint8

const (
	harmless exposure = iota // a fixed answer, or no answer
	exposes                  // files of this machine, which are often public by intent
	proxies                  // a service, or something unknown to lint
)

// classify covers the handlers of Caddy's standard distribution. Any other handler
// counts as a proxy, since its behaviour is unknown.
//
// Metrics count as a service: they describe the service behind the guard.
func classify(handler string) exposure {
	switch handler {
	case "static_response", "error", "headers", "rewrite", "vars", "map", "encode", "request_body", "timeouts",
		"log_append", "tracing", "authentication", "intercept", "push", "copy_response", "copy_response_headers",
		"subroute", "invoke", AppName,
		PageHandler: // it answers nothing but its files without a guard of its own kind
		return harmless
	case "file_server", "templates", "acme_server":
		return exposes
	}
	return proxies
}

// ReachesService reports whether the handler forwards requests to a service, or is unknown
// to authmin. Other unguarded handlers serve this machine's files.
func (h RouteHandler) ReachesService() bool { return classify(h.Name) == proxies }

// Serves describes what the handler serves to clients if no guard is before it.
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
