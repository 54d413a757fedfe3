package poolmanager

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// passed is a request as the engine would get it, in pieces of the given reader.
func passed(t testing.TB, body io.Reader, text string, usage bool) (sent string, announced int64, err error) {
	t.Helper()
	r := httptest.NewRequest("POST", "/", body)
	r.ContentLength = int64(len(text))
	template := URLTemplate("http://127.0.0.1:1")
	template.RefuseMembers, template.RemoteMedia = []string{}, RemoteMediaAny
	rules, err := newRequestRules(template)
	if err != nil {
		return "", 0, err
	}
	b, err := newCallBody(httptest.NewRecorder(), r, time.Second, rules, placesOf(text))
	if err != nil {
		return "", 0, err
	}
	b.edit.edits = editsOf(b.places, "engine/model", usage)
	announced = b.size + growth(b.edit.edits)
	out, err := io.ReadAll(b.reader())
	return string(out), announced, err
}

func TestOnlyTheNamedPlacesOfARequestChange(t *testing.T) {
	for sent, want := range map[string]string{
		`{"model":"m"}`: `{"stream_options":{"include_usage":true},"model":"engine/model"}`,
		` {  "x":1.50, "model" : "\u006d" , "y":[1E2]}` + "\n":   ` {"stream_options":{"include_usage":true},  "x":1.50, "model" : "engine/model" , "y":[1E2]}` + "\n",
		`{"model":"m","stream_options":{}}`:                      `{"model":"engine/model","stream_options":{"include_usage":true }}`,
		`{"model":"m","stream_options":{ }}`:                     `{"model":"engine/model","stream_options":{"include_usage":true  }}`,
		`{"stream_options":{"x":1},"model":"m"}`:                 `{"stream_options":{"include_usage":true,"x":1},"model":"engine/model"}`,
		`{"stream_options": { "x":1 },"model":"m"}`:              `{"stream_options": {"include_usage":true ,"x":1 },"model":"engine/model"}`,
		`{"stream_options":null,"model":"m"}`:                    `{"stream_options":{"include_usage":true}   ,"model":"engine/model"}`,
		`{"stream_options":{"include_usage":false},"model":"m"}`: `{"stream_options":{"include_usage":true},"model":"engine/model"}`,
		`{"stream_options":{"include_usage":null},"model":"m"}`:  `{"stream_options":{"include_usage":true},"model":"engine/model"}`,
		`{"stream_options":{"include_usage":true},"model":"m"}`:  `{"stream_options":{"include_usage":true},"model":"engine/model"}`,
		`{"stream_options":"no!!","model":"m"}`:                  `{"stream_options":` + strings.Repeat(" ", int(optionsGrow)) + `"no!!","model":"engine/model"}`,
	} {
		for split, reader := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			got, announced, err := passed(t, reader(strings.NewReader(sent)), sent, true)
			if err != nil || got != want || announced != int64(len(want)) {
				t.Errorf("%s, %s: got %s (%d announced, %d sent), %v\nwant %s", sent, split, got, announced, len(got), err, want)
			}
		}
		plain, _, err := passed(t, strings.NewReader(sent), sent, false)
		places := placesOf(sent)
		if want := sent[:places.Model[0]] + `"engine/model"` + sent[places.Model[1]:]; err != nil || plain != want {
			t.Errorf("%s without usage: got %s, %v", sent, plain, err)
		}
	}
}

// TestEditsDoNotDependOnHowARequestIsCut looks at each cut of the editor's pieces.
func TestEditsDoNotDependOnHowARequestIsCut(t *testing.T) {
	for _, sent := range []string{
		`{"stream_options": { "x":1 },"model":"m"}`, `{"stream_options":null,"model":"m"}`, `{"model":"m","stream_options":{"include_usage":false}}`, `{"model":"m","stream_options":{ }}`,
	} {
		want, _, err := passed(t, strings.NewReader(sent), sent, true)
		if err != nil {
			t.Fatal(err)
		}
		for cut := range len(sent) {
			e := editor{edits: editsOf(placesOf(sent), "engine/model", true)}
			got := e.pass(nil, []byte(sent[:cut]))
			if got = e.pass(got, []byte(sent[cut:])); string(got) != want {
				t.Errorf("%s cut at %d: got %s", sent, cut, got)
			}
		}
	}
}

// FuzzCallBody compares what the engine reads with what was sent.
func FuzzCallBody(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","stream_options":{"include_usage":false,"a":[1]},"messages":[{"role":"user","content":"\u00e4\n"}]}`, `{"model":"m","stream_options":null}`,
		`{"stream_options":{},"model":""}`, `{"a":{"model":"x"},"model":"m","n":1e400}`, `{"model":1}`, `{}`, `{"stream_options":[1],"model":"m"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if placesOf(body).Model[1] == 0 || body == "" {
			return
		}
		sent, announced, err := passed(t, strings.NewReader(body), body, true)
		if err != nil {
			return // refused
		}
		if announced != int64(len(sent)) {
			t.Errorf("%q: %d bytes announced, %d sent", body, announced, len(sent))
		}
		want, got := members(t, body), members(t, sent)
		want["model"] = "engine/model"
		switch options := want["stream_options"].(type) {
		case map[string]any:
			options["include_usage"] = true
		case nil:
			want["stream_options"] = map[string]any{"include_usage": true}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", body, sent, diff)
		}
	})
}

// members reads an object with its numbers as they are written.
func members(t *testing.T, text string) (all map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return all
}

func TestARequestIsRefusedForWhatItsTemplateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		engine, body string
		refuse       []string
		media        RemoteMedia
		want         string // "": it passes
	}{
		"an image":                       {"vllm", `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]}`, nil, "", "image_url"},
		"an image in the request":        {"vllm", `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, nil, "", ""},
		"an image, short":                {"vllm", `{"messages":[{"content":[{"type":"input_image","image_url":"https://a/b.png"}]}]}`, nil, "", "image_url"},
		"a file of the engine's host":    {"sglang", `{"messages":[{"content":[{"image_url":{"url":"/etc/passwd"}}]}]}`, nil, "", "image_url"},
		"audio":                          {"vllm", `{"messages":[{"content":[{"audio_url":{"url":"HTTP://a"}}]}]}`, nil, "", "audio_url"},
		"video":                          {"vllm", `{"messages":[{"content":[{"video_url":{"url":"file:///a"}}]}]}`, nil, "", "video_url"},
		"a file":                         {"vllm", `{"input":[{"content":[{"type":"input_file","file_url":"https://a"}]}]}`, nil, "", "file_url"},
		"other letters":                  {"vllm", `{"messages":[{"content":[{"IMAGE_URL":{"URL":"https://a"}}]}]}`, nil, "", "image_url"},
		"an escaped name":                {"vllm", `{"messages":[{"content":[{"image\u005furl":{"url":"https://a"}}]}]}`, nil, "", "image_url"},
		"an escaped address":             {"vllm", `{"messages":[{"content":[{"image_url":{"url":"\u0068ttps://a"}}]}]}`, nil, "", "image_url"},
		"Anthropic's":                    {"vllm", `{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://a"}}]}]}`, nil, "", "source"},
		"Anthropic's in the request":     {"vllm", `{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"AAAA"}}]}]}`, nil, "", ""},
		"Ollama's":                       {"ollama", `{"messages":[{"images":["https://a"]}]}`, nil, "", "images"},
		"Ollama's in the request":        {"ollama", `{"messages":[{"images":["AAAA"]}]}`, nil, "", ""},
		"a server of tools":              {"vllm", `{"tools":[{"type":"mcp","server_url":"https://a"}]}`, nil, "", "server_url"},
		"Anthropic's server of tools":    {"url", `{"mcp_servers":[{"type":"url","name":"a","url":"https://a"}]}`, nil, "", "mcp_servers"},
		"a schema that speaks of images": {"vllm", `{"tools":[{"function":{"parameters":{"properties":{"image_url":{"type":"string","default":"https://a"}}}}}]}`, nil, "", ""},
		"what a tool was called with":    {"vllm", `{"messages":[{"content":[{"type":"tool_use","input":{"image_url":"https://a"}}]}]}`, nil, "", ""},
		"a text with an address":         {"vllm", `{"messages":[{"content":"https://a"}]}`, nil, "", ""},
		"media that are allowed":         {"vllm", `{"messages":[{"content":[{"image_url":{"url":"https://a"}}]}]}`, nil, RemoteMediaAny, ""},
		"of another engine":              {"vllm", `{"keep_alive":0}`, nil, "", ""},
		"of the engine":                  {"ollama", `{"keep_alive":0}`, nil, "", "keep_alive"},
		"of an unknown engine":           {"other", `{"lora_path":"x"}`, nil, "", "lora_path"},
		"null":                           {"ollama", `{"keep_alive":null}`, nil, "", ""},
		"other letters for a member":     {"ollama", `{"Keep_Alive":0}`, nil, "", "keep_alive"},
		"deeper":                         {"ollama", `{"options":{"num_gpu":0}}`, nil, "", "options.num_gpu"},
		"twice":                          {"ollama", `{"options":{},"options":{"num_gpu":0}}`, nil, "", "options"},
		"within a limit":                 {"ollama", `{"options":{"num_ctx":8192}}`, []string{"options.num_ctx <= 8192"}, "", ""},
		"over a limit":                   {"ollama", `{"options":{"num_ctx":8193}}`, []string{"options.num_ctx <= 8192"}, "", "8192"},
		"no number for a limit":          {"ollama", `{"options":{"num_ctx":"9"}}`, []string{"options.num_ctx<=8192"}, "", "8192"},
		"a tool that searches":           {"ollama", `{"tools":[{"type":"function"},{"type":"web_search_20250305"}]}`, nil, "", "tools.type web_search"},
		"a NUL in a text":                {"sglang", `{"messages":[{"content":"a\u0000b"}],"stop":"\u0000"}`, nil, "", ""},
		"a tool that is called so":       {"ollama", `{"tools":[{"type":"function","function":{"name":"web_search"}}]}`, nil, "", ""},
		"a text, exactly":                {"vllm", `{"mode":"fast"}`, []string{"mode = fast"}, "", "mode"},
		"a text, exactly, before a NUL":  {"vllm", `{"mode":"fast\u0000x"}`, []string{"mode = fast"}, "", "mode"},
		"a text, not exactly":            {"vllm", `{"mode":"faster"}`, []string{"mode = fast"}, "", ""},
		"the shipped limit":              {"ollama", `{"options":{"num_ctx":32769}}`, nil, "", "32768"},
		"nothing refused":                {"ollama", `{"keep_alive":0}`, []string{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			template := URLTemplate("http://127.0.0.1:1")
			template.Engine, template.RefuseMembers, template.RemoteMedia = c.engine, c.refuse, c.media
			if err := template.Validate(); err != nil {
				t.Fatal(err)
			}
			rules, err := newRequestRules(template)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			_, err = newCallBody(httptest.NewRecorder(), r, time.Second, rules, placesOf(c.body))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a refusal of %s", err, c.want)
			case c.want != "" && problemOf(err).Status != http.StatusBadRequest:
				t.Errorf("%v is %d", err, problemOf(err).Status)
			}
		})
	}
}
