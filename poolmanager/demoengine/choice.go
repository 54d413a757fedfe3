package demoengine

import (
	"encoding/json"
	"slices"
)

// toolChoice is tool_choice in OpenAI's forms: a word, a tool's name, or the tools that
// are allowed. Responses have at the top what chats have one level deeper.
type toolChoice struct {
	named
	Mode    string  `json:"mode"`
	Tools   []named `json:"tools"`
	Allowed struct {
		Mode  string  `json:"mode"`
		Tools []named `json:"tools"`
	} `json:"allowed_tools"`
}

type named struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
}

// offer adds a tool.
func (a *ask) offer(name string, parameters json.RawMessage) {
	a.tools = append(a.tools, tool{name, parameters})
	a.refuse("the parameters of tool "+name, wrongSchema(parameters))
}

// refuse notes what is wrong with a member of the request; "" is nothing. The first counts.
func (a *ask) refuse(member, wrong string) {
	if wrong != "" && a.problem == "" {
		a.problem = member + ": " + wrong
	}
}

// choose notes which tool is called: the one that tool_choice names, none, or the first
// of those that it allows.
func (a *ask) choose(raw json.RawMessage) {
	var word string
	var c toolChoice
	if json.Unmarshal(raw, &word) != nil {
		_ = json.Unmarshal(raw, &c) // anything else names none
	}
	if c.Type == "allowed_tools" {
		allowed := append(c.Tools, c.Allowed.Tools...)
		a.tools = slices.DeleteFunc(a.tools, func(t tool) bool {
			return !slices.ContainsFunc(allowed, func(n named) bool { return n.Name+n.Function.Name == t.Name })
		})
		word = c.Mode + c.Allowed.Mode
	} else {
		a.choice = c.Name + c.Function.Name
	}
	switch {
	case word == "none":
		a.choice = word
	case word == "required" && len(a.tools) == 0:
		a.problem = "tool_choice requires a call, and there is no tool that may be called"
	}
}

// format notes of what schema the answer is.
func (a *ask) format(member, kind string, schema json.RawMessage) {
	switch kind {
	case "", "text":
	case "json_object":
		a.schema = anyObject
	case "json_schema":
		if a.schema = schema; len(schema) == 0 {
			a.problem = member + ": json_schema needs a schema"
		}
		a.refuse(member, wrongSchema(schema))
	default:
		a.problem = member + ": want type text, json_object or json_schema"
	}
}
