package houserules_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLinks: each link of a document leads to a file of this repository, and to
// a heading that is there. A link elsewhere is only held to the form of one: no
// test asks the network.
func TestLinks(t *testing.T) {
	broken, links := brokenLinks(t, os.DirFS(root(t)))
	for _, b := range broken {
		t.Error(b)
	}
	if links == 0 {
		t.Error("no link was found")
	}
}

func TestLinksCanFail(t *testing.T) {
	cases := map[string]struct {
		text   string
		broken int
	}{
		"a file":                      {"[b](b.md)", 0},
		"a folder":                    {"[d](../d)", 0},
		"a file that is not there":    {"[c](c.md)", 1},
		"a heading":                   {"[b](b.md#two-words-and-more)", 0},
		"a heading that is not there": {"[b](b.md#three)", 1},
		"a heading of its own":        {"# A `b`: c\n[a](#a-b-c)", 0},
		"one in a block of commands":  {"```sh\n# one\n```\n[a](#one)", 1},
		"no link, in such a block":    {"```\n[c](c.md)\n```", 0},
		"elsewhere":                   {"[x](https://example.com/x)", 0},
		"elsewhere, in clear":         {"[x](http://example.com/x)", 1},
		"out of the repository":       {"[x](../../x.md)", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{"docs/a.md": {Data: []byte(c.text)}, "docs/b.md": {Data: []byte("## Two words, and (more)\n")}, "d/e": {}}
			if broken, _ := brokenLinks(t, tree); len(broken) != c.broken {
				t.Errorf("got %q, want %d", broken, c.broken)
			}
		})
	}
}

var (
	anyFence = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// brokenLinks looks at every document of the tree, and counts the links.
func brokenLinks(t *testing.T, tree fs.FS) (broken []string, links int) {
	t.Helper()
	eachFile(t, tree, []string{".md"}, func(name string, content []byte) {
		for _, m := range link.FindAllStringSubmatch(prose(content), -1) {
			links++
			if err := follow(tree, name, m[1]); err != nil {
				broken = append(broken, fmt.Sprintf("%s: link to %s: %v", name, m[1], err))
			}
		}
	})
	return broken, links
}

func prose(content []byte) string { return anyFence.ReplaceAllString(string(content), "") }

func follow(tree fs.FS, from, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	if u.Host != "" {
		if u.Scheme != "https" {
			return fmt.Errorf("it is not https")
		}
		return nil
	}
	file := from
	if u.Path != "" {
		file = path.Join(path.Dir(from), u.Path)
	}
	info, err := fs.Stat(tree, file)
	if err != nil || u.Fragment == "" {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("a folder has no headings")
	}
	content, err := fs.ReadFile(tree, file)
	if err != nil {
		return err
	}
	for _, m := range heading.FindAllStringSubmatch(prose(content), -1) {
		if slug(m[1]) == u.Fragment {
			return nil
		}
	}
	return fmt.Errorf("%s has no such heading", file)
}

// slug is what GitHub makes of a heading for links.
func slug(heading string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}
