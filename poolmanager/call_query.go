package poolmanager

import (
	"fmt"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// checkQuery refuses in a call's query what is refused in its body: an engine may read a
// member in either place.
func (r *requestRules) checkQuery(text string) error {
	values, err := nodeapi.ParseQuery(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errTask, err)
	}
	for name, texts := range values {
		path := nodeapi.MemberPath(name)
		for _, refused := range r.refusals {
			if strings.EqualFold(strings.Join(path, "."), refused.path) {
				return fmt.Errorf("%w: %s, in the query", errMember, refused.path)
			}
		}
		for _, text := range texts {
			if r.text == nil {
				break
			}
			if err := r.text(path, text); err != nil {
				return fmt.Errorf("%w, in the query", err)
			}
		}
	}
	return nil
}
