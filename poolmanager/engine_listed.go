package poolmanager

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// tagsPath is where an engine of Ollama's protocol lists the models that it has.
	tagsPath = "/api/tags"
	// runningPath is where it lists those that are loaded.
	runningPath = "/api/ps"
)

// ollamaEntry is a model in either list (api/types.go: ListModelResponse and
// ProcessModelResponse).
type ollamaEntry struct {
	Name       string                `json:"name"`
	Size       int64                 `json:"size"`
	Digest     string                `json:"digest"`
	ModifiedAt time.Time             `json:"modified_at"`
	Details    nodeapi.ListedDetails `json:"details"`
	ExpiresAt  time.Time             `json:"expires_at"`
	VRAM       int64                 `json:"size_vram"`
	Context    int64                 `json:"context_length"`
}

// listed asks an engine of Ollama's protocol for the models that it has, and which are
// loaded; nil if it does not tell both.
func (e prober) listed(ctx context.Context, inst *instance) []nodeapi.ListedModel {
	var all, running struct {
		Models []ollamaEntry `json:"models"`
	}
	if e.read(ctx, inst, http.MethodGet, tagsPath, nil, &all) != nil || e.read(ctx, inst, http.MethodGet, runningPath, nil, &running) != nil {
		return nil
	}
	list := []nodeapi.ListedModel{}
	for _, m := range all.Models {
		if !modelref.ValidName(m.Name) || len(list) == maxModels {
			continue
		}
		one := nodeapi.ListedModel{Name: m.Name, SizeBytes: m.Size, Digest: m.Digest, ModifiedAt: m.ModifiedAt, Details: m.Details}
		if at := slices.IndexFunc(running.Models, func(r ollamaEntry) bool { return r.Name == m.Name }); at >= 0 {
			r := running.Models[at]
			one.Running = &nodeapi.RunningDetail{SizeBytes: r.Size, VRAMBytes: r.VRAM, ExpiresAt: r.ExpiresAt, ContextLength: r.Context}
		}
		list = append(list, one)
	}
	return list
}
