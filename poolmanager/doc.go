// Package poolmanager keeps inference engines up on one node: it starts them as
// supervised child processes from templates of its own configuration, hands
// tasks to them over HTTP, and tells an orchestrator what it has.
//
// It is not a scheduler (the orchestrator is), not a way to run commands (a
// request names a template and a model, never a program or an argument), and
// not an edge: it listens on loopback or a Unix socket, wants a credential on
// every route but GET /health, and leaves TLS to the gateway in front of it.
//
//	service, err := poolmanager.Start(ctx, poolmanager.Options{
//		Listen:     "127.0.0.1:9200",
//		RuntimeDir: "/run/llorch/poolmanager",
//		Token:      token,
//		Preload:    []poolmanager.Preload{{PoolID: "demo", Template: "demo"}},
//	})
//	if err != nil {
//		return err
//	}
//	defer service.Stop(ctx)
package poolmanager
