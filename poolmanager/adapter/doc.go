// Package adapter runs one task in an engine, in the engine's own streaming
// dialect, and gives its tokens back one by one. Two dialects exist: llama.cpp's
// /completion (with OpenAI's chat route for messages) and the OpenAI routes,
// which vLLM, Ollama and most other servers speak. Embeddings and reranking have one
// form for both: /v1/embeddings is OpenAI's, /v1/rerank Jina's.
//
// A native call, [Target.Call], is different: the engine's own request goes to the engine
// as it is, and the answer comes back in frames of package nodeapi.
//
// It does not start engines, hold slots or retry: a broken stream is an [Error]
// with a class, and the caller decides.
//
// The example of the package runs a task, and another one whose stream breaks off.
package adapter
