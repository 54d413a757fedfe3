package poolmanager

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// errMember says that a request has a member that the pool's template refuses.
var errMember = errors.New("a member of the request is not allowed here")

// refusal is a member that a request may not have, or only up to a limit, or not with
// some text.
type refusal struct {
	path    string
	limited bool
	most    int64
	text    string // one that is refused; with a star at its end, all that begin so
	instead string // what the caller can do; "" for nothing
}

// previousResponse is refused where the engine would ignore it.
var previousResponse = refusal{path: "previous_response_id", instead: ": this engine keeps no responses; send the whole conversation in input"}

var refusalText = regexp.MustCompile(`^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?:\s*<=\s*(\d{1,18})|\s*=\s*([A-Za-z0-9_.-]+\*?))?$`)

// refusals reads the template's list.
func (t Template) refusals() ([]refusal, error) {
	texts := t.RefuseMembers
	if texts == nil {
		texts = shippedRefusals(t.Engine)
	}
	all := make([]refusal, 0, len(texts))
	for _, text := range texts {
		match := refusalText.FindStringSubmatch(strings.TrimSpace(text))
		if match == nil {
			return nil, fmt.Errorf("refuse_members: %q; want a member such as options.num_gpu, one with a limit, options.num_ctx <= 8192, or one with a text, tools.type = web_search*", text)
		}
		one := refusal{path: match[1], text: match[3]}
		if match[2] != "" {
			one.limited = true
			one.most, _ = strconv.ParseInt(match[2], 10, 64) // at most 18 digits
		}
		if slices.ContainsFunc(all, func(other refusal) bool { return other.path == one.path && other.text == one.text }) {
			return nil, fmt.Errorf("refuse_members: %q is named twice", one.path)
		}
		all = append(all, one)
	}
	return all, nil
}

// check looks for the member in what was scanned so far. null is as if it was absent.
// Other than those with a text, members are looked for in objects only.
func (r refusal) check(scan *jsonbody.Scanner) error {
	m, ok := scan.Member(r.path)
	if r.text != "" || !ok || m.Kind == jsonbody.Null {
		return nil
	}
	if !r.limited {
		return fmt.Errorf("%w: %s%s", errMember, r.path, r.instead)
	}
	if n, ok := m.Int(); !ok || n > r.most {
		return fmt.Errorf("%w: %s has to be a whole number of at most %d", errMember, r.path, r.most)
	}
	return nil
}

// checkText refuses a string of the request.
func (r refusal) checkText(path []string, text string) error {
	prefix, begins := strings.CutSuffix(r.text, "*")
	text, _, _ = strings.Cut(text, "\x00") // where readers that are written in C end it
	switch {
	case r.text == "" || !strings.EqualFold(strings.Join(path, "."), r.path):
	case text == prefix, begins && strings.HasPrefix(text, prefix):
		return fmt.Errorf("%w: %s %s", errMember, r.path, prefix)
	}
	return nil
}

// mediaMembers are those by which requests of all protocols name media. Their value, or
// that of a url in it, is the address.
var mediaMembers = []string{"image_url", "video_url", "audio_url", "file_url", "images", "source"}

// checkMedia refuses the address of something that the engine would fetch. path is the
// members around a string, the string's own last.
func checkMedia(path []string, text string) error {
	if len(path) == 0 || text == "" || strings.HasPrefix(text, "data:") {
		return nil
	}
	last := strings.ToLower(path[len(path)-1])
	if last == "server_url" {
		return fmt.Errorf("%w: server_url", errMember)
	}
	if last == "url" && strings.EqualFold(path[0], "mcp_servers") { // Anthropic's server_url
		return fmt.Errorf("%w: mcp_servers", errMember)
	}
	if inToolData(path) {
		return nil
	}
	if last == "images" { // Ollama's are base64, which has no colon
		if strings.Contains(text, ":") {
			return fmt.Errorf("%w: images holds an address; send the image itself in base64", errMember)
		}
		return nil
	}
	for i, name := range path {
		name = strings.ToLower(name)
		if slices.Contains(mediaMembers, name) && (last == "url" || i == len(path)-1 && name != "source") {
			return fmt.Errorf("%w: %s holds an address; send the data itself, as data:TYPE;base64,…", errMember, name)
		}
	}
	return nil
}

// inToolData reports whether a string is of a tool's schema, or of what a model once
// called it with. Engines show these to the model and fetch nothing for them.
func inToolData(path []string) bool {
	switch {
	case slices.Contains([]string{"tools", "functions", "response_format", "format", "text"}, path[0]):
		return true
	case len(path) > 1 && path[0] == "messages" && path[1] == "tools":
		return true
	case len(path) > 2 && path[0] == "messages" && path[1] == "content" && path[2] == "input":
		return true
	}
	return len(path) > 3 && path[0] == "messages" && path[1] == "tool_calls" && path[2] == "function" && path[3] == "arguments"
}

// requestRules are what a template refuses in requests, read once.
type requestRules struct {
	refusals []refusal
	text     func(path []string, text string) error // judges a text at its place; nil: all pass
	scan     *jsonbody.Scanner                      // copied for each request
}

func newRequestRules(t Template) (*requestRules, error) {
	all, err := t.refusals()
	if err != nil {
		return nil, err
	}
	if !t.remembers() {
		all = append(all, previousResponse)
	}
	o := jsonbody.Options{Watch: []string{"model"}}
	var texts []refusal
	for _, r := range all {
		if r.text != "" {
			texts = append(texts, r)
		} else if r.path != "model" && !slices.Contains(o.Watch, r.path) {
			o.Watch = append(o.Watch, r.path)
		}
	}
	if fetches := t.RemoteMedia == RemoteMediaAny; !fetches || len(texts) > 0 {
		o.String = func(path []string, text string) error {
			for _, r := range texts {
				if err := r.checkText(path, text); err != nil {
					return err
				}
			}
			if fetches {
				return nil
			}
			return checkMedia(path, text)
		}
	}
	return &requestRules{all, o.String, jsonbody.New(o)}, nil
}

// scanner reads a request for what the template refuses.
type scanner struct {
	*jsonbody.Scanner
	refusals []refusal
}

func (r *requestRules) scanner() *scanner { return &scanner{r.scan.Copy(), r.refusals} }

// read reads the next piece.
func (s *scanner) read(piece []byte) error {
	if _, err := s.Write(piece); err != nil {
		return scanError(err)
	}
	for _, r := range s.refusals {
		if err := r.check(s.Scanner); err != nil {
			return err
		}
	}
	return nil
}

// errBody says that a request is not one JSON object that is read in one way only.
var errBody = errors.New("the request is not valid")

func scanError(err error) error {
	if errors.Is(err, errMember) {
		return err
	}
	return fmt.Errorf("%w: %w", errBody, err)
}
