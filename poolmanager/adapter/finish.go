package adapter

import (
	"fmt"
	"strconv"

	"github.com/llorch/gateway/authmin"
)

// maxFinish bounds an unknown finish_reason in an error, in bytes.
const maxFinish = 64

// finishes is every word by which an engine says that an answer is whole, or as
// long as was asked for, and what it is told as. OpenAI's routes say stop and length;
// text-generation-inference eos_token and stop_sequence; llama.cpp's own route eos,
// word and limit. A word that is not here is no success: abort, error, an engine's
// own "load", or tool_calls, which this adapter never asked for and does not read.
var finishes = map[string]string{
	"stop": "stop", "eos": "stop", "word": "stop", "eos_token": "stop", "stop_sequence": "stop", "end_turn": "stop",
	"length": "length", "limit": "length", "max_tokens": "length",
}

// finish translates an engine's word for how the answer ended.
func finish(word string) (string, error) {
	if known, ok := finishes[word]; ok {
		return known, nil
	}
	return "", &Error{Class: ClassFailed, Message: fmt.Sprintf("the engine ended the answer with finish_reason %s, which is not known to be success",
		strconv.Quote(authmin.CleanField(word, maxFinish)))}
}
