// Package nodeapi is how another program talks to a pool manager: the types
// that travel on the wire, the calls on pools, and the stream of one dispatched
// task. It imports the standard library only, so that both sides of the wire,
// and tests, can share one definition.
//
// It is not a client of an engine (the pool manager keeps those to itself) and
// it decides nothing: no retry, no placement, no circuit breaker. Redirects are
// never followed, because a redirect would carry the bearer token elsewhere.
//
//	c := nodeapi.New("http://127.0.0.1:9200", func() string { return token }, nil)
//	stream, err := c.Dispatch(ctx, "demo", nodeapi.DispatchRequest{Prompt: "hello", MaxTokens: 16})
//	if err != nil {
//		return err
//	}
//	defer stream.Close()
//	for {
//		event, err := stream.Next()
//		if err == io.EOF {
//			return nil
//		}
//		if err != nil {
//			return err
//		}
//		fmt.Print(event.Text)
//	}
package nodeapi
