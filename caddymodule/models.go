package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// ModelRouteConfig says where requests of some paths name a model.
type ModelRouteConfig struct {
	// body (a JSON object), query, form (multipart/form-data) or path.
	In string `json:"in"`
	// The member, parameter or part with the name; in an object inside the body with
	// dots between. Default: model. None for path.
	Member string `json:"member,omitempty"`
	// Exact, or a prefix that ends in /*. For path, * stands for the model.
	Paths []string `json:"paths"`
	// Default: every method.
	Methods []string `json:"methods,omitempty"`
}

// ModelFreeConfig are requests that name no model.
type ModelFreeConfig struct {
	// Exact, or a prefix that ends in /*.
	Paths []string `json:"paths"`
	// Default: every method.
	Methods []string `json:"methods,omitempty"`
}

// Bounds of the bodies that are read for a model.
const (
	defaultMaxBody    = 32 << 20
	largestMaxBody    = 1 << 30
	defaultBodyMemory = 256 << 20
	largestBodyMemory = 1 << 40
)

// ModelRoutes builds the routes of a model from the guard's settings, for Provision and
// for `authmin explain`.
func (g *Guard) ModelRoutes() (*authmin.ModelRoutes, error) {
	routes := make([]authmin.ModelRoute, 0, len(g.ModelIn))
	for _, config := range g.ModelIn {
		route := authmin.ModelRoute{Place: authmin.ModelPlace(config.In), Member: config.Member, Paths: config.Paths, Methods: config.Methods}
		if route.Member == "" && route.Place != authmin.ModelInPath {
			route.Member = authmin.DefaultModelMember
		}
		routes = append(routes, route)
	}
	free := make([]authmin.ModelFree, 0, len(g.ModelFree))
	for _, config := range g.ModelFree {
		free = append(free, authmin.ModelFree(config))
	}
	return authmin.NewModelRoutes(routes, free)
}

// provisionModels builds what the check of models needs.
func (g *Guard) provisionModels() (err error) {
	if g.models, err = g.ModelRoutes(); err != nil {
		return err
	}
	if err := g.checkModelsAt(); err != nil {
		return err
	}
	if g.MaxBody < 0 || g.MaxBody > largestMaxBody {
		return errMaxBody
	}
	most := g.app.bodyMemory()/2 - heldPiece // of one identity; the last piece is charged whole
	if slices.ContainsFunc(g.ModelIn, func(c ModelRouteConfig) bool { return c.In == string(authmin.ModelInForm) }) {
		most /= 2 // a form is copied
	}
	if most < heldPiece {
		return errBodyMemory
	}
	if g.MaxBody == 0 {
		g.MaxBody = min(defaultMaxBody, most)
	}
	if g.MaxBody > most {
		return fmt.Errorf("max_body is %d bytes, and body_memory has room for a body of %d: make one larger, or the other smaller", g.MaxBody, most)
	}
	return nil
}

// ModelsAtUpstream is the one value of models_at.
const ModelsAtUpstream = "upstream"

var (
	errModelsAt     = errors.New("want models_at upstream, for an upstream that refuses models by X-Auth-Models as the orchestrator and the pool manager do; without the option the guard checks them")
	errModelsUnsent = errors.New("models_at upstream without upstream_token: the upstream believes X-Auth-Models beside the gateway's own credential only; write `upstream_token SOURCE` into the guard, or remove models_at, so that the guard checks the models")
)

// checkModelsAt refuses models_at where no upstream could check the models.
func (g *Guard) checkModelsAt() error {
	switch {
	case g.ModelsAt != "" && g.ModelsAt != ModelsAtUpstream:
		return errModelsAt
	case g.ModelsAt != "" && g.UpstreamToken == "":
		return errModelsUnsent
	}
	return nil
}

// What the sizes may be.
var (
	errMaxBody    = errors.New("want max_body and a size such as 32MiB, at most 1GiB")
	errBodyMemory = errors.New("want body_memory and a size such as 256MiB, from 512KiB to 1TiB")
)

// parseSize reads the one size of an option.
func parseSize(args []string, largest int64) (int64, bool) {
	if len(args) != 1 {
		return 0, false
	}
	size, ok := trail.ParseSize(args[0])
	return size, ok && size <= largest
}

// parseModels reads the options about models:
//
//	model_in   body|query|form|path[:<member>] [<METHOD,...>] <path...>
//	model_free [<METHOD,...>] <path...>
//	max_body   <size>
//	models_at  upstream
func (g *Guard) parseModels(d *caddyfile.Dispenser, option string, args []string) error {
	switch option {
	case "model_in":
		if len(args) < 2 {
			return d.Err("want model_in body|query|form|path[:MEMBER] [METHODS] PATH…, such as `model_in body /v1/chat/completions`")
		}
		place, member, _ := strings.Cut(args[0], ":")
		methods, paths, err := cutMethods(option, args[1:])
		if err != nil {
			return d.Errf("%s: %v", option, err)
		}
		g.ModelIn = append(g.ModelIn, ModelRouteConfig{In: place, Member: member, Paths: paths, Methods: methods})
	case "model_free":
		if len(args) == 0 {
			return d.ArgErr()
		}
		methods, paths, err := cutMethods(option, args)
		if err != nil {
			return d.Errf("%s: %v", option, err)
		}
		g.ModelFree = append(g.ModelFree, ModelFreeConfig{Paths: paths, Methods: methods})
	case "models_at":
		if len(args) != 1 || args[0] != ModelsAtUpstream {
			return d.Errf("%v", errModelsAt)
		}
		g.ModelsAt = args[0]
	default:
		size, ok := parseSize(args, largestMaxBody)
		if !ok {
			return d.Errf("%v", errMaxBody)
		}
		g.MaxBody = size
	}
	if _, err := g.ModelRoutes(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// parseModelList reads the words of a list of models, each of which may be a list.
func parseModelList(words []string) (*authmin.Models, error) {
	return authmin.ParseModels(strings.Join(words, ","))
}
