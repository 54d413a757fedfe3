// Package tinymodel writes a language model that is small enough for a test: the
// llama architecture with two layers and random weights, half a megabyte of GGUF
// (version 3), the same bytes each time. llama.cpp's llama-server and Ollama load
// it and run it on any processor.
//
// What it says is noise; what is real is the protocol of the engine that says it.
// It is not a model to talk to, and not a general writer of GGUF.
//
// See the example of the package.
package tinymodel
