package backend

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestABuildSaysWhatItIs(t *testing.T) {
	last := "go " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	caddy := &debug.Module{Path: "github.com/caddyserver/caddy/v2", Version: "v2.11.9"}
	vcs := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-11-30T15:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for name, c := range map[string]struct {
		stamp string
		info  debug.BuildInfo
		want  string
	}{
		"a clone": {"", debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "v1.2.3"}, Deps: []*debug.Module{caddy}, Settings: vcs},
			"llorch v1.2.3\ncommit 0123abc 2026-11-30T15:00:00Z with changes\ncaddy v2.11.9\n"},
		"a source archive": {"v1.2.3", debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "(devel)"}}, "llorch v1.2.3\ncommit unknown\n"},
		// The commit would be that of the repository in which xcaddy was run.
		"xcaddy": {"", debug.BuildInfo{Main: debug.Module{Path: "caddy", Version: "v9"}, Settings: vcs,
			Deps: []*debug.Module{{Path: modulePath, Version: "v1.2.3"}, caddy}}, "llorch v1.2.3\ncommit unknown\ncaddy v2.11.9\n"},
		"xcaddy, replaced": {"", debug.BuildInfo{Deps: []*debug.Module{{Path: modulePath, Version: "v0.0.0", Replace: &debug.Module{Version: "v1.2.4"}}}},
			"llorch v1.2.4\ncommit unknown\n"},
		"nothing": {"", debug.BuildInfo{}, "llorch (devel)\ncommit unknown\n"},
	} {
		stampedVersion = c.stamp
		if got := buildOf(&c.info).Text("llorch"); got != c.want+last {
			t.Errorf("%s: got %q, want %q", name, got, c.want+last)
		}
	}
	stampedVersion = ""
}
