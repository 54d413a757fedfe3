//go:build upstreams

package attacks_test

import (
	_ "embed"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// resources are the files of every upstream. A request that one of them takes for such a
// path is answered RESOURCE= and the path.
var resources = []string{
	"/health", "/public/x", "/v1/models", "/admin/pools", "/ollama/api/pull", "/v2/nodes", "/v2/tasks", "/internal/x",
}

// A realServer is a program of a distribution that reads paths in its own way. frame is its
// configuration or its source: DIR is its folder, HOST and PORT its address, @PLACES@ what it
// says for each resource.
type realServer struct {
	command, file, frame string
	place                string // one resource: %[1]s is its path, %[2]s its first segment
	args                 []string
}

//go:embed testdata/upstream.mjs
var nodeServer string

//go:embed testdata/upstream.py
var pythonServer string

// nginx folds case in a regular expression, after it has decoded, merged slashes and
// removed dot segments.
const nginxServer = `daemon off; master_process off; pid DIR/pid; error_log DIR/log;
events {}
http {
	access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p;
	fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	server {
		listen HOST:PORT;
		default_type text/plain;
@PLACES@
		location / { return 404; }
	}
}
`

// Apache folds case in AliasMatch, decodes encoded slashes and merges slashes.
const apacheServer = `ServerName upstream.example
Listen HOST:PORT
PidFile DIR/pid
ErrorLog DIR/log
DefaultRuntimeDir DIR
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
AllowEncodedSlashes On
DocumentRoot DIR
<Directory DIR>
	Require all granted
</Directory>
@PLACES@
`

// realServers are tried where their program is on the PATH.
var realServers = map[string]realServer{
	"nginx": {command: "nginx", file: "nginx.conf", frame: nginxServer, args: []string{"-c", "FILE"},
		place: "\t\tlocation ~* ^/%[2]s(/|$) { return 200 \"RESOURCE=%[1]s\\n\"; }\n"},
	"Apache": {command: "apache2", file: "apache.conf", frame: apacheServer, args: []string{"-X", "-f", "FILE"},
		place: "AliasMatch \"(?i)^/%[2]s(/.*)?$\" \"DIR/%[2]s.txt\"\n"},
	"Node":   {command: "node", file: "upstream.mjs", frame: nodeServer, args: []string{"FILE", "HOST", "PORT"}},
	"Python": {command: "python3", file: "upstream.py", frame: pythonServer, args: []string{"FILE", "HOST", "PORT"}},
}

// start runs the server until the test ends, and returns its address.
func (s realServer) start(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(s.command)
	if err != nil {
		t.Fatalf("there is no %s: install it, or leave the tag upstreams out", s.command)
	}
	address, dir := testkit.FreeAddress(t), t.TempDir()
	host, port, _ := net.SplitHostPort(address)
	replace := strings.NewReplacer("HOST", host, "PORT", port, "DIR", dir)
	var places strings.Builder
	for _, resource := range resources {
		first := segmentOf(resource)
		if resource == "/v2/nodes" || resource == "/v2/tasks" {
			first = strings.TrimPrefix(resource, "/")
		}
		place := s.place
		if place != "" {
			place = fmt.Sprintf(place, resource, first)
		}
		places.WriteString(replace.Replace(place))
		writeFileIn(t, filepath.Join(dir, first+".txt"), "RESOURCE="+resource+"\n")
	}
	file := filepath.Join(dir, s.file)
	writeFileIn(t, file, strings.ReplaceAll(replace.Replace(s.frame), "@PLACES@", places.String()))
	args := make([]string, len(s.args))
	for i, arg := range s.args {
		args[i] = strings.NewReplacer("FILE", file, "HOST", host, "PORT", port).Replace(arg)
	}
	gatewaytest.StartCommand(t, exec.Command(path, args...)).Listening(t, address)
	return address
}

// segmentOf is the first segment of a path.
func segmentOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}
