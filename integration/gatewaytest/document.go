package gatewaytest

import (
	"regexp"
	"strings"
)

var consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// ConsoleBlocks returns the blocks of a document that are marked console, below one of its
// headings of the second level, or all of them where heading is "". They are the commands
// that need what a fleet on loopback has not: a container engine, or a package manager.
func ConsoleBlocks(document, heading string) []string {
	if heading != "" {
		_, document, _ = strings.Cut(document, "\n## "+heading+"\n")
		document, _, _ = strings.Cut(document, "\n## ")
	}
	var blocks []string
	for _, m := range consoleBlock.FindAllStringSubmatch(document, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}
