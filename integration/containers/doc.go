// Package containers builds the image of deploy/containers, and runs its compose files
// with Docker or podman: `go test -tags containers ./integration/containers`, as root. It
// needs no registry: the image is made from this work tree, and a small program takes the
// place of Ollama.
package containers
