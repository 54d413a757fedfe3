package backend

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// maxTypo is how many letters a variable may differ in from one of a program's to be
// taken for a typing error.
const maxTypo = 2

// maxNameLength bounds the part of a variable's name that is compared.
const maxNameLength = 64

var (
	// serviceLink is what Kubernetes and Docker set for a service with our name.
	serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)$`)
	// linkedPort is the value of such a variable whose name could be a typing error.
	linkedPort = regexp.MustCompile(`^(tcp|udp)://`)
)

// Variables are the environment variables of a program.
type Variables struct {
	Program  string
	Prefixes []string // a variable that begins with one of them belongs to the program
	Known    []string
	// Others are variables of other programs that look like misspelled ones of this.
	Others []string
}

// Check refuses a variable that looks like one of the program's but is unknown: a
// misspelled setting would otherwise have no effect, without a notice. Its value is not repeated, as it
// may be a token.
func (v Variables) Check(environ []string) error {
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(v.Known, name) || slices.Contains(v.Others, name) ||
			serviceLink.MatchString(name) || strings.HasSuffix(name, "_PORT") && linkedPort.MatchString(value) {
			continue
		}
		near := v.byDistance(name)
		switch {
		case authmin.EditDistance(fold(name), near[0]) <= maxTypo || v.begins(near[0], fold(name)):
			return fmt.Errorf("environment: unknown variable %.64q; did you mean %s? Correct or unset it", name, near[0])
		case v.owns(name):
			return fmt.Errorf("environment: unknown variable %.64q; unset it. The nearest are %s; %s --help lists all",
				name, strings.Join(near[:min(3, len(near))], ", "), v.Program)
		}
	}
	return nil
}

// begins reports whether a known variable begins with a name that is more than a
// prefix of the program.
func (v Variables) begins(known, name string) bool {
	return v.owns(name) && strings.HasPrefix(known, name) && !slices.Contains(v.Prefixes, name)
}

// owns reports whether a variable has a prefix of the program.
func (v Variables) owns(name string) bool {
	return slices.ContainsFunc(v.Prefixes, func(prefix string) bool { return strings.HasPrefix(fold(name), prefix) })
}

// byDistance are the known variables, the most similar first: those that begin with
// the name, then by the letters that differ.
func (v Variables) byDistance(name string) []string {
	name = fold(name)
	rank := func(known string) int {
		if strings.HasPrefix(known, name) {
			return 0
		}
		return authmin.EditDistance(name, known)
	}
	return slices.SortedStableFunc(slices.Values(v.Known), func(a, b string) int { return rank(a) - rank(b) })
}

// fold is a name as it is compared: in upper case, and no more of it than is needed.
func fold(name string) string { return strings.ToUpper(name[:min(len(name), maxNameLength)]) }
