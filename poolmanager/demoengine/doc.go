// Package demoengine is an engine without a model: it speaks llama.cpp's HTTP
// interface and answers with words picked by a hash, so that everything in
// front of it (supervision, dispatch, streaming, cancelling) can be shown and
// tested on a machine that has neither a GPU nor a model file.
//
// It is not a language model and says so: every answer begins with "[demo]",
// every model list names "demo". For one prompt and seed it always answers the
// same. It listens on 127.0.0.1 only and wants its API key, handed over in a
// file, on everything but /health.
//
// See the example of [Run].
//
// Chat and completions have tools, response formats, reasoning, log probabilities and
// several answers: it calls the first tool, or the chosen one, with arguments that
// satisfy its schema, and after the result it answers with text.
//
// Responses are kept in memory, the newest 256, so that a next turn can name one.
//
// Routes: GET /health (503 while loading), GET /slots, GET /v1/models,
// POST /completion, /v1/completions, /v1/chat/completions, /v1/messages,
// /v1/responses, /api/chat and /api/generate (each streaming or not),
// /v1/messages/count_tokens, /v1/responses/input_tokens, /v1/embeddings, /v1/rerank,
// /api/embed, /api/embeddings, /api/show; GET and DELETE /v1/responses/{id}, its
// input_items and cancel; GET /api/tags, /api/ps and /api/version.
package demoengine
