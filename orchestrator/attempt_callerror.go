package orchestrator

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// callFailed gives the change that ends a native call with an error: its status tells a
// client of the engine's protocol the same.
func (a *attempt) callFailed(change func(*Task), err error) func(*Task) {
	if a.request == nil || a.request.Workload != Native {
		return change
	}
	return func(t *Task) {
		change(t)
		f := a.call.error
		if f != nil && t.TokensOut == 0 {
			t.TokensIn, t.TokensOut = figure(f.TokensIn), figure(f.TokensOut)
		}
		if t.Error == nil {
			return
		}
		refused, isRefused := errors.AsType[*nodeapi.StatusError](err)
		switch {
		case f != nil && f.Status != 0:
			t.Error.Status, t.Error.EngineCode = f.Status, engineCode(f.Body)
		case isRefused && refusedForGood(err):
			t.Error.Code, t.Error.Message, t.Error.Status = code(refused.Code, t.Error.Code), printable(refused.Hint, maxMessage), refused.Status
		}
	}
}

// engineCode is the word by which an engine's error says what is wrong: its code, or
// its type where the code is a figure or not there; "" for none.
func engineCode(body []byte) string {
	type named struct{ Code, Type json.RawMessage }
	var said struct {
		named
		Error json.RawMessage
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var nested named
	_ = json.Unmarshal(said.Error, &nested) // a text has none
	for _, raw := range []json.RawMessage{nested.Code, nested.Type, said.Code, said.Type} {
		var word string
		if json.Unmarshal(raw, &word) == nil && strings.Trim(word, "0123456789") != "" && word != "error" {
			return printable(word, maxWord)
		}
	}
	return ""
}
