package jsonbody_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// A gateway wants to know the model of a request that it forwards unread.
func Example() {
	request := strings.NewReader(`{"messages": [{"role": "user", "content": "hello"}], "model": "qwen3", "stream": true}`)

	s := jsonbody.New(jsonbody.Options{Watch: []string{"model", "stream"}})
	if _, err := io.Copy(s, request); err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Close(); err != nil {
		fmt.Println(err)
		return
	}
	model, _ := s.Member("model")
	name, _ := model.Text()
	fmt.Println(name, model.Start, model.End)
	// Output: qwen3 62 69
}

// A member that two services would read differently is refused.
func ExampleError() {
	s := jsonbody.New(jsonbody.Options{Watch: []string{"model"}})
	_, err := s.Write([]byte(`{"model": "small", "Model": "large"}`))
	fmt.Println(err)
	// Output: member model occurs twice
}

// Strings are reported where they end, with the members around them.
func ExampleOptions_string() {
	s := jsonbody.New(jsonbody.Options{String: func(path []string, head string) error {
		if path[len(path)-1] == "url" && !strings.HasPrefix(head, "data:") {
			return fmt.Errorf("%s: only data: is allowed", strings.Join(path, "."))
		}
		return nil
	}})
	_, err := s.Write([]byte(`{"messages":[{"content":[{"image_url":{"url":"http://169.254.169.254/"}}]}]}`))
	fmt.Println(err)
	// Output: messages.content.image_url.url: only data: is allowed
}
