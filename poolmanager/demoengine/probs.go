package demoengine

// chatProbs are made up, and the same for the same token.
type chatProbs struct {
	Content []tokenProb `json:"content"`
	Refusal []tokenProb `json:"refusal"`
}

type tokenProb struct {
	Text    string      `json:"token"`
	Logprob float64     `json:"logprob"`
	Bytes   []int       `json:"bytes"`
	Top     []tokenProb `json:"top_logprobs,omitzero"` // of a likeliest token: none
}

// maxTopProbs is OpenAI's bound.
const maxTopProbs = 20

func (c *chat) probs(tokens ...string) *chatProbs {
	probs := &chatProbs{Content: []tokenProb{}}
	for _, token := range tokens {
		probs.Content = append(probs.Content, probsOf(token, orZero(c.q.TopLogprobs)))
	}
	return probs
}

// probsOf is a token's probability, with those of the likeliest at its place.
func probsOf(token string, top int) tokenProb {
	one := probOf(token, 0)
	one.Top = []tokenProb{}
	for i := range top {
		other := token
		if i > 0 {
			other = " " + vocabulary[i]
		}
		one.Top = append(one.Top, probOf(other, i))
	}
	return one
}

// probOf is a token's probability as the one at that place of the likeliest.
func probOf(token string, rank int) tokenProb {
	p := tokenProb{Text: token, Logprob: -0.01 - float64(rank) - source(token, 0).Float64()/2, Bytes: []int{}}
	for _, b := range []byte(token) {
		p.Bytes = append(p.Bytes, int(b))
	}
	return p
}
