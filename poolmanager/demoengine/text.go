package demoengine

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
)

const (
	// defaultTokens is how long an answer is when the caller sets no limit:
	// about three lines, a third of a second at the default delay.
	defaultTokens = 64
	// maxTokens bounds one answer whatever the caller asks for.
	maxTokens = 65536
	// dimensions of an embedding; small models have 384, a demo needs few.
	dimensions = 64
)

var vocabulary = strings.Fields(`a the engine answers words tokens stream queue slot task model prompt
	deterministic demo pretend letters quietly slowly always never here there with without from into
	gateway orchestrator pool node client server loopback port key guard policy and or but then`)

// preface opens every answer; its first token alone says what this is.
var preface = []string{"[demo]", " not", " a", " model:"}

// answer is the deterministic sequence of tokens for one prompt and seed.
type answer struct {
	random *rand.Rand
	next   int
}

func newAnswer(prompt string, seed int64) *answer {
	return &answer{random: source(prompt, seed)}
}

func source(text string, seed int64) *rand.Rand {
	input := binary.LittleEndian.AppendUint64([]byte(text), uint64(seed))
	return rand.New(rand.NewChaCha8(sha256.Sum256(input)))
}

func (a *answer) token() string {
	i := a.next
	a.next++
	if i < len(preface) {
		return preface[i]
	}
	return " " + vocabulary[a.random.IntN(len(vocabulary))]
}

// limit turns a request's n_predict or max_tokens into a number of tokens.
func limit(asked int) int {
	if asked <= 0 {
		return defaultTokens
	}
	return min(asked, maxTokens)
}

// countTokens is this engine's idea of a prompt's length: its words.
func countTokens(prompt string) int { return len(strings.Fields(prompt)) }

// embedding is a unit vector that depends on the text alone.
func embedding(text string) []float64 {
	random := source(text, 0)
	vector := make([]float64, dimensions)
	var sum float64
	for i := range vector {
		vector[i] = random.NormFloat64()
		sum += vector[i] * vector[i]
	}
	for i := range vector {
		vector[i] /= math.Sqrt(sum)
	}
	return vector
}

// relevance is the share of the query's words that the document has, and a
// little that depends on the text, so that equal shares have an order.
func relevance(query, document string) float64 {
	words, found := strings.Fields(strings.ToLower(query)), 0
	document = strings.ToLower(document)
	for _, word := range words {
		if strings.Contains(document, word) {
			found++
		}
	}
	return (float64(found) + source(document, 0).Float64()/2) / float64(len(words)+1)
}
