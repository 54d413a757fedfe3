package modelref_test

import (
	"fmt"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// A reference has one of three kinds, and is never a flag or a path out of the model
// root; a source is read only from a server that the operator lists.
func Example() {
	for _, text := range []string{"llama3.2:1b", "file:qwen3.gguf", "catalog:qwen3-8b", "--config=x", "file:../key"} {
		ref, err := modelref.Parse(text)
		if err != nil {
			fmt.Printf("%s: not a reference\n", text)
			continue
		}
		fmt.Printf("%s: kind %d, name %s\n", text, ref.Kind, ref.Name)
	}
	hosts := modelref.Hosts{"hub.example"}
	for _, text := range []string{"https://HUB.example:443/m.gguf", "https://elsewhere.example/m.gguf", "http://hub.example/m.gguf"} {
		source, err := modelref.ParseSource(text)
		fmt.Printf("%s: %t\n", text, err == nil && hosts.Allow(source.URL))
	}
	// Output:
	// llama3.2:1b: kind 0, name llama3.2:1b
	// file:qwen3.gguf: kind 1, name qwen3.gguf
	// catalog:qwen3-8b: kind 2, name qwen3-8b
	// --config=x: not a reference
	// file:../key: not a reference
	// https://HUB.example:443/m.gguf: true
	// https://elsewhere.example/m.gguf: false
	// http://hub.example/m.gguf: false
}
