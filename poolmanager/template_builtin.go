package poolmanager

import (
	"os"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Templates that ship. A configuration may change any field of them.

// DemoTemplate runs the built-in demo engine: command is the program and the
// first arguments that start it; empty means this program with demo-engine.
func DemoTemplate(command []string) (Template, error) {
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return Template{}, err
		}
		command = []string{self, "demo-engine"}
	}
	return Template{
		Name: "demo", Engine: "demo", Dialect: adapter.LlamaCPP, Model: "demo",
		Command: append(append([]string{}, command...),
			"--port", "{port}", "--api-key-file", "{key_file}", "--parallel", "{slots}", "--model", "{model}"),
		Key: KeyFile, HealthPath: "/health", Workloads: allWorkloads, Slots: 4, StreamUsage: true, Deterministic: true,
		ReadyLimit: 10 * time.Second, StopGrace: 2 * time.Second,
	}, nil
}

// LlamaCPPTemplate runs llama-server, found on the PATH, with a GGUF file under
// the model root or of the catalog. The limit to become ready suits a 70B model
// from a disk. llama-server divides the context among its slots: with 16384 and
// four slots a task has 4096 tokens for its prompt and its answer.
func LlamaCPPTemplate() Template {
	return Template{
		Name: "llamacpp", Engine: "llamacpp", Dialect: adapter.LlamaCPP, TakesFile: true,
		Command: []string{"llama-server", "--host", "127.0.0.1", "--port", "{port}", "--model", "{model_path}",
			"--alias", "{model}", "--ctx-size", "{ctx}", "--parallel", "{slots}", "--api-key-file", "{key_file}", "--no-webui"},
		Key: KeyFile, HealthPath: "/health", Ctx: 16384, Slots: 4, StreamUsage: true,
		ReadyLimit: 10 * time.Minute, StopGrace: 10 * time.Second,
	}
}

// LlamaCPPEmbeddingTemplate runs llama-server for an embedding model. The flag
// also takes completions away, so this is a template of its own.
func LlamaCPPEmbeddingTemplate() Template {
	t := LlamaCPPTemplate()
	t.Name, t.Workloads = "llamacpp-embedding", []string{nodeapi.WorkloadEmbedding}
	t.Command = append(t.Command, "--embeddings")
	return t
}

// LlamaCPPRerankTemplate runs llama-server for a reranking model.
func LlamaCPPRerankTemplate() Template {
	t := LlamaCPPTemplate()
	t.Name, t.Workloads = "llamacpp-rerank", []string{nodeapi.WorkloadRerank}
	t.Command = append(t.Command, "--reranking")
	return t
}

// VLLMTemplate runs vLLM, found on the PATH; model is a name that vLLM resolves.
// Its key travels in a configuration file, not in arguments.
func VLLMTemplate() Template {
	return Template{
		Name: "vllm", Engine: "vllm", Dialect: adapter.OpenAI,
		Command: []string{"vllm", "serve", "{model}", "--config", "{key_file}", "--host", "127.0.0.1", "--port", "{port}",
			"--max-num-seqs", "{slots}"},
		Key: KeyVLLMYAML, HealthPath: "/health", Slots: 64, StreamUsage: true,
		ReadyLimit: 20 * time.Minute, StopGrace: 15 * time.Second,
	}
}

// OllamaTemplate runs Ollama, found on the PATH. Ollama cannot check a key: any
// process on this host can use the port that it listens on.
func OllamaTemplate() Template {
	return Template{
		Name: "ollama", Engine: "ollama", Dialect: adapter.OpenAI,
		Command:    []string{"ollama", "serve"},
		Env:        map[string]string{"OLLAMA_HOST": "127.0.0.1:{port}", "OLLAMA_NUM_PARALLEL": "{slots}"},
		HealthPath: "/api/version", ListsModels: true, Slots: 4, StreamUsage: true,
		Workloads:  []string{nodeapi.WorkloadCompletion, nodeapi.WorkloadEmbedding},
		ReadyLimit: time.Minute, StopGrace: 10 * time.Second,
	}
}

// URLTemplate uses a server that already runs and speaks the OpenAI routes, as
// llama-server, vLLM and Ollama do. It is never started or stopped.
func URLTemplate(url string) Template {
	return Template{
		Name: "url", Engine: "openai", Dialect: adapter.OpenAI, URL: url,
		HealthPath: "/v1/models", ListsModels: true, Slots: 4, StreamUsage: true, ReadyLimit: time.Minute,
	}
}
