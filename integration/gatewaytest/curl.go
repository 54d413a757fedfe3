package gatewaytest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/llorch/gateway/integration/testkit"
)

// A test binary that is called by the name of curl acts as one, so that the
// commands in the documents run where curl is not installed. It knows the
// options that the documents use, and refuses the others.
const curlName = "curl"

// curlOptions are the parsed arguments.
type curlOptions struct {
	method, url, body    string
	headers              []string
	include, head, fails bool
	output               string
	format               string // printed after the answer; only %{http_code} and \n are known
	socket               string // a Unix socket in the host's place
}

// curlFlags are the options without an argument; what is ignored is about
// progress meters and buffering, of which there is none here.
var curlFlags = map[byte]func(*curlOptions){
	's': func(*curlOptions) {},
	'S': func(*curlOptions) {},
	'N': func(*curlOptions) {},
	'f': func(o *curlOptions) { o.fails = true },
	'i': func(o *curlOptions) { o.include = true },
	'I': func(o *curlOptions) { o.head, o.include = true, true },
}

var curlArguments = map[byte]func(*curlOptions, string){
	'X': func(o *curlOptions, v string) { o.method = v },
	'H': func(o *curlOptions, v string) { o.headers = append(o.headers, v) },
	'd': func(o *curlOptions, v string) { o.body = v },
	'o': func(o *curlOptions, v string) { o.output = v },
	'w': func(o *curlOptions, v string) { o.format = v },
	'u': func(o *curlOptions, v string) { o.socket = v }, // --unix-socket; curl's own -u is not supported here
}

var curlLong = map[string]byte{
	"--silent": 's', "--show-error": 'S', "--no-buffer": 'N', "--fail": 'f', "--include": 'i', "--head": 'I',
	"--request": 'X', "--header": 'H', "--data": 'd', "--output": 'o', "--write-out": 'w', "--unix-socket": 'u',
}

func parseCurl(args []string) (curlOptions, error) {
	var o curlOptions
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--json" && i+1 < len(args) {
			i++
			o.body = args[i]
			o.headers = append(o.headers, "Content-Type: application/json", "Accept: application/json")
			continue
		}
		letters, isShort := strings.CutPrefix(arg, "-")
		if long, ok := curlLong[arg]; ok {
			letters = string(long)
		} else if !isShort {
			if o.url != "" {
				return o, errors.New("more than one URL")
			}
			o.url = arg
			continue
		}
		for j := 0; j < len(letters); j++ {
			if set, ok := curlFlags[letters[j]]; ok {
				set(&o)
				continue
			}
			set, ok := curlArguments[letters[j]]
			if !ok {
				return o, fmt.Errorf("option %s is not supported here", arg)
			}
			value := letters[j+1:]
			if value == "" {
				if i++; i == len(args) {
					return o, fmt.Errorf("option %s wants an argument", arg)
				}
				value = args[i]
			}
			set(&o, value)
			break
		}
	}
	if o.url == "" {
		return o, errors.New("no URL")
	}
	return o, nil
}

// curl carries out a command line and returns an exit code.
func curl(args []string) int {
	o, err := parseCurl(args)
	if err == nil {
		err = o.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		return 2
	}
	return 0
}

func (o curlOptions) run(out io.Writer) error {
	r, err := o.request()
	if err != nil {
		return err
	}
	res, err := o.client().Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	status := strings.NewReplacer("%{http_code}", strconv.Itoa(res.StatusCode), `\n`, "\n").Replace(o.format)
	defer io.WriteString(out, status)
	if o.output != "" {
		file, err := os.Create(o.output)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	if o.include {
		fmt.Fprintf(out, "%s %s\r\n", res.Proto, res.Status)
		if res.Close { // net/http takes the header for itself
			res.Header.Set("Connection", "close")
		}
		if err := res.Header.Write(out); err != nil {
			return err
		}
		fmt.Fprint(out, "\r\n")
	}
	if o.fails && res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the answer is %s", res.Status)
	}
	_, err = io.Copy(out, res.Body)
	return err
}

func (o curlOptions) client() *http.Client {
	if o.socket == "" {
		return fresh
	}
	return testkit.SocketClient(o.socket)
}

func (o curlOptions) request() (*http.Request, error) {
	method := http.MethodGet
	switch {
	case o.method != "":
		method = o.method
	case o.head:
		method = http.MethodHead
	case o.body != "":
		method = http.MethodPost
	}
	url := o.url
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	r, err := http.NewRequest(method, url, strings.NewReader(o.body))
	if err != nil {
		return nil, err
	}
	if o.body != "" && !slices.ContainsFunc(o.headers, func(h string) bool { return strings.HasPrefix(strings.ToLower(h), "content-type:") }) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range o.headers {
		lines := []string{h}
		if file, ok := strings.CutPrefix(h, "@"); ok {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			lines = strings.Split(strings.TrimSpace(string(text)), "\n")
		}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ":")
			r.Header.Set(name, strings.TrimSpace(value))
		}
	}
	return r, nil
}
