package tinymodel

import (
	"fmt"
	"math/rand/v2"
	"os"
)

// The sizes are the smallest with which every part of the architecture is there.
const (
	width   = 64
	layers  = 2
	heads   = 4
	hidden  = 128
	context = 512
	seed    = 7
)

// Context is the longest text that the model was made for, in tokens.
const Context = context

// vocabulary has three control tokens, a token for each byte, so that every text
// can be written, and some words.
type vocabulary struct {
	tokens []string
	scores []float32
	types  []int32
}

// The types of tokens (llama.cpp, enum llama_token_type).
const (
	typeNormal  = 1
	typeUnknown = 2
	typeControl = 3
	typeByte    = 6
)

func makeVocabulary() vocabulary {
	var v vocabulary
	add := func(kind int32, score float32, token string) {
		v.tokens, v.scores, v.types = append(v.tokens, token), append(v.scores, score), append(v.types, kind)
	}
	add(typeUnknown, 0, "<unk>")
	add(typeControl, 0, "<s>")
	add(typeControl, 0, "</s>")
	for b := range 256 {
		add(typeByte, 0, fmt.Sprintf("<0x%02X>", b))
	}
	words := []string{"the", "gate", "token", "is", "open", "closed", "a", "guard", "model", "says", "yes", "no", "and", "then", "stream", "ends"}
	for i, word := range words {
		add(typeNormal, -float32(i), "▁"+word)
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		add(typeNormal, -float32(len(v.tokens)), string(letter))
	}
	add(typeNormal, -float32(len(v.tokens)), "▁")
	return v
}

// Bytes is the model file.
func Bytes() []byte {
	v, e := makeVocabulary(), &encoder{}
	e.string("general.architecture", "llama")
	e.string("general.name", "tiny-random")
	e.uint32("general.file_type", 0)
	e.uint32("general.alignment", alignment)
	e.uint32("llama.block_count", layers)
	e.uint32("llama.context_length", context)
	e.uint32("llama.embedding_length", width)
	e.uint32("llama.feed_forward_length", hidden)
	e.uint32("llama.attention.head_count", heads)
	e.uint32("llama.attention.head_count_kv", heads)
	e.float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
	e.uint32("llama.rope.dimension_count", width/heads)
	e.float32("llama.rope.freq_base", 10000)
	e.uint32("llama.vocab_size", uint32(len(v.tokens)))
	e.string("tokenizer.ggml.model", "llama")
	e.string("tokenizer.ggml.pre", "default")
	e.strings("tokenizer.ggml.tokens", v.tokens)
	e.floats("tokenizer.ggml.scores", v.scores)
	e.ints("tokenizer.ggml.token_type", v.types)
	e.uint32("tokenizer.ggml.bos_token_id", 1)
	e.uint32("tokenizer.ggml.eos_token_id", 2)
	e.uint32("tokenizer.ggml.unknown_token_id", 0)
	e.bool("tokenizer.ggml.add_bos_token", true)
	addWeights(e, v)
	return e.file()
}

// addWeights makes the numbers up, the same ones each time. The rows of the output
// for control tokens and bytes are zero beside large ones for words: so nearly
// every token is a word, the text is valid UTF-8, and it ends when it is told to.
func addWeights(e *encoder, v vocabulary) {
	random := rand.New(rand.NewPCG(seed, seed))
	noise := func(n int, size float64) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(random.NormFloat64() * size)
		}
		return values
	}
	ones := make([]float32, width)
	for i := range ones {
		ones[i] = 1
	}
	const small = 0.08 // keeps the layers from drowning the embedding
	e.tensor("token_embd.weight", noise(width*len(v.tokens), small), width, len(v.tokens))
	e.tensor("output_norm.weight", ones, width)
	output := noise(width*len(v.tokens), 1)
	for token, kind := range v.types {
		if kind != typeNormal {
			clear(output[token*width : (token+1)*width])
		}
	}
	e.tensor("output.weight", output, width, len(v.tokens))
	for i := range layers {
		name := func(part string) string { return fmt.Sprintf("blk.%d.%s.weight", i, part) }
		e.tensor(name("attn_norm"), ones, width)
		e.tensor(name("ffn_norm"), ones, width)
		for _, part := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			e.tensor(name(part), noise(width*width, small), width, width)
		}
		e.tensor(name("ffn_gate"), noise(width*hidden, small), width, hidden)
		e.tensor(name("ffn_up"), noise(width*hidden, small), width, hidden)
		e.tensor(name("ffn_down"), noise(width*hidden, small), hidden, width)
	}
}

// Write writes the model to a file that only this user can read.
func Write(path string) error {
	if err := os.WriteFile(path, Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the tiny model: %w", err)
	}
	return nil
}
