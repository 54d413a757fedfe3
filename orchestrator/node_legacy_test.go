package orchestrator

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// legacyBucket is the bucket that a replica of an earlier version has made, in a NATS server
// of the operator, and a replica of this version there that has not started.
func legacyBucket(t *testing.T) (jetstream.KeyValue, *store.Store) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		ServerName: "lone", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 2 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	conn, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "nodes", Storage: jetstream.MemoryStorage, TTL: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{NATS: &store.External{URL: srv.ClientURL(), Replica: "new"}, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return kv, st
}

// TestNodesAreExchangedWithAnEarlierVersion has the bucket of one: its nodes are known when
// this replica has started, and it gets those of this one.
func TestNodesAreExchangedWithAnEarlierVersion(t *testing.T) {
	kv, st := legacyBucket(t)
	told := sharedNode{
		Owner: "old", Address: "http://127.0.0.1:1", Pin: netip.MustParseAddrPort("127.0.0.1:1"), Token: "t",
		Registered: time.Now().UTC(), Pools: []nodeapi.Pool{{PoolID: "q", ModelRef: "m", Ready: true, SlotsTotal: 1, SlotsFree: 1}},
	}
	put := func(said sharedNode) {
		t.Helper()
		value, err := json.Marshal(said)
		if err == nil {
			_, err = kv.Put(t.Context(), "old", value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(told)
	o := startReplica(t, st)
	if got := stateOf(o, "old"); got != NodeOnline {
		t.Errorf("at the start, the node of the earlier version is %q", got)
	}
	told.Pools[0].Draining = true // as a command of an operator is noted there: without a later time
	put(told)
	testkit.Eventually(t, "the pool drains", func() bool { return stateOf(o, "old") == NodeDraining })

	stored := func() (said sharedNode) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		e, err := kv.Get(ctx, "n")
		if err == nil {
			err = json.Unmarshal(e.Value(), &said)
		}
		if err != nil {
			return sharedNode{}
		}
		return said
	}
	onePool(t, o)
	testkit.Eventually(t, "the registration is in the bucket", func() bool { return stored().Token != "" })
	stamp := time.Now().UTC()
	if _, err := o.Heartbeat(Who{Identity: "n"}, "n", nodeapi.HeartbeatRequest{Timestamp: stamp}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the heartbeat is in the bucket", func() bool { return stored().Stamp.Equal(stamp) })
	if err := o.RemoveNode(t.Context(), Who{Identity: "n"}, "n"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the removal is in the bucket", func() bool { return stored().Removed })

	put(sharedNode{Removed: true}) // as an earlier version writes it
	testkit.Eventually(t, "the node is gone", func() bool { return stateOf(o, "old") == "" })
}
