package staging

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// sourceClient reads one model. Its address and redirect errors end a download for
// good: a repeated request would be refused as well.
type sourceClient struct{ *modelref.Client }

func (s *Stager) sourceClient() sourceClient {
	return sourceClient{modelref.NewClient(modelref.ClientOptions{Hosts: s.Hosts, RootCAs: s.cas, Lookup: s.lookup})}
}

func (c sourceClient) Do(r *http.Request) (*http.Response, error) {
	response, err := c.Client.Do(r)
	switch {
	case errors.Is(err, modelref.ErrAddress):
		err = fmt.Errorf("%w: %w", errSource, err)
	case errors.Is(err, modelref.ErrRedirect):
		err = fmt.Errorf("%w: it redirects to a host that POOL_MANAGERD_MODEL_HOSTS does not list, or too often", errSource)
	}
	return response, err
}
