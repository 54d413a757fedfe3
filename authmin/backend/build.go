package backend

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// modulePath is this module, as builds name it.
const modulePath = "github.com/llorch/gateway"

// stampedVersion is the version of a build outside of a repository, such as of a source
// archive: -ldflags "-X github.com/llorch/gateway/authmin/backend.stampedVersion=v1.2.3".
// In a clone, Go derives the version from the tag.
var stampedVersion string

// Build says what a program was built from.
type Build struct {
	Version  string // of this module; "(devel)" where the build has none
	Commit   string // the full hash; "" where the build has none
	Time     string // of the commit, RFC 3339
	Modified bool   // the tree had changes that are not in the commit
	Caddy    string // the version of Caddy; "": it is not linked
	Go       string
	Platform string // such as linux/amd64
}

// Date is the time of the commit, so that what is dated by it can be built twice; 1970
// where the build has none.
func (b Build) Date() time.Time {
	at, err := time.Parse(time.RFC3339, b.Time)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return at.UTC()
}

// ThisBuild is the build of the program that runs.
func ThisBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) Build {
	b := Build{Version: stampedVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	ours := info.Main.Path == modulePath
	if ours && b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, module := range info.Deps {
		version := module.Version
		if module.Replace != nil && module.Replace.Version != "" {
			version = module.Replace.Version
		}
		switch module.Path {
		case modulePath: // built by xcaddy
			b.Version = version
		case "github.com/caddyserver/caddy/v2":
			b.Caddy = version
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch {
		case !ours: // the repository is that of another main module
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Time = s.Value
		case s.Key == "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Text is what `PROGRAM version` prints: the program's version first, then one line for
// each thing that it was built from.
func (b Build) Text(program string) string {
	commit := "unknown"
	if b.Commit != "" {
		commit = strings.TrimSpace(b.Commit + " " + b.Time)
	}
	if b.Modified {
		commit += " with changes"
	}
	text := fmt.Sprintf("%s %s\ncommit %s\n", program, b.Version, commit)
	if b.Caddy != "" {
		text += "caddy " + b.Caddy + "\n"
	}
	return text + fmt.Sprintf("go %s %s\n", b.Go, b.Platform)
}
