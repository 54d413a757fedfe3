package orchestrator

import "strings"

// maxModelName bounds the name of a model, in bytes, as the API does.
const maxModelName = 256

// plainName is a model's name without what says where its bytes come from: nodes
// call a model of the catalog catalog:ID, tasks call it ID or catalog:ID.
func plainName(ref string) string { return strings.TrimPrefix(ref, catalogRef) }

// latestTag is what Ollama takes for the tag of a name without one.
const latestTag = ":latest"

// untagged is a name under which Ollama's NAME and NAME:latest are one.
func untagged(name string) string { return strings.TrimSuffix(name, latestTag) }
