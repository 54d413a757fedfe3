package orchestrator

import (
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// Defaults and bounds of the settings. The bounds hold where an operator sets them
// (cmd/orchestratord); a program that embeds the package may go beyond them.
const (
	// DefaultCapacity is how many tasks may wait. MaxCapacity is what has been
	// measured; each waiting task costs about 1 KiB of memory and its record on disk.
	DefaultCapacity = 1000
	MaxCapacity     = 100_000
	// MaxDrain bounds the time for draining.
	MaxDrain = time.Hour
	// DefaultDeadline is for the first token of a task that names none; MaxDeadline is
	// also the most that a task may name, for its first token and for its stream. The
	// overlap of a token rotation must be longer.
	DefaultDeadline = 10 * time.Minute
	MaxDeadline     = 24 * time.Hour
	// DefaultKeepEnded is how long an ended task is kept, MinKeepEnded and
	// MaxKeepEnded are its bounds.
	DefaultKeepEnded = time.Hour
	MinKeepEnded     = time.Second
	MaxKeepEnded     = 24 * time.Hour
	// DefaultKeepEndedTasks is how many ended tasks are kept for one identity. Each
	// costs 2 KiB of memory on each replica, hence MaxKeepEndedTasks.
	DefaultKeepEndedTasks = 10_000
	MaxKeepEndedTasks     = 100_000
	// DefaultRequestBytes is the body of a native call, with images in it.
	// MaxRequestBytes bounds what may be set.
	DefaultRequestBytes = 32 << 20
	MaxRequestBytes     = 256 << 20
	// DefaultEventBytes is one event, or one answer that is not streamed.
	DefaultEventBytes = 16 << 20
	MaxEventBytes     = 64 << 20
	// DefaultContentBytes bounds all bodies that are kept, MinContentBytes is room for
	// a few of the default size.
	DefaultContentBytes = store.DefaultContentBytes
	MinContentBytes     = 256 << 20
	MaxContentBytes     = 1 << 40
	// DefaultKeepContent is how long the answer to a native call without an
	// Idempotency-Key is kept after its end.
	DefaultKeepContent = time.Minute
	MaxKeepContent     = 24 * time.Hour
	// DefaultNodeTimeout makes a silent node offline: three missed heartbeats.
	// MinNodeTimeout and MaxNodeTimeout are its bounds.
	DefaultNodeTimeout = 30 * time.Second
	MinNodeTimeout     = time.Second
	MaxNodeTimeout     = time.Hour
)

// Settings are what an operator, or a program that embeds the package, chooses. Each is
// declared here only, with its default: [Config] and the options of package app embed
// them, and cmd/orchestratord has one table of their keys and variables. The zero value
// is complete.
type Settings struct {
	Capacity       int           // tasks that may wait; 0: DefaultCapacity
	Policy         Policy        // what a full queue does; "": Reject
	Strategy       Strategy      // which of the suitable pools gets a task; "": MostFreeVRAM
	Drain          time.Duration // how long running tasks may continue at a stop; 0: none
	Deadline       time.Duration // for the first token of tasks that name none; 0: DefaultDeadline
	StreamLimit    time.Duration // for the streams of tasks that name none; 0: no limit
	KeepEnded      time.Duration // how long ended tasks are kept; 0: DefaultKeepEnded
	KeepEndedTasks int           // how many for one identity; 0: DefaultKeepEndedTasks

	RequestBytes int64         // of the body of a native call; 0: DefaultRequestBytes
	EventBytes   int64         // of one event, or one whole answer, of a native call; 0: DefaultEventBytes
	ContentBytes int64         // of all bodies that are kept; 0: DefaultContentBytes
	KeepContent  time.Duration // how long the answer of a native call without a key is kept; 0: DefaultKeepContent

	compactPause time.Duration // shorter in tests

	NodeTimeout   time.Duration  // silence after which a node is offline; 0: DefaultNodeTimeout
	NodeNetworks  []netip.Prefix // where nodes may be, besides loopback
	NodeAddresses []string       // base URLs of the nodes that may get the pool manager token
	NodeModels    ModelGrants    // which models an identity's nodes may offer; nil: any
	NodeCAs       *x509.CertPool // authorities of the nodes' certificates; nil: the system's
	Resolver      Resolver       // of node names and model hosts; nil: the system's

	ModelRoot  string         // directory of the models that file: sources name; "": none
	ModelHosts []string       // host or host:port of https sources; none: no https
	ModelCAs   *x509.CertPool // authorities of those hosts; nil: the system's
}

// fill sets the defaults.
func (s *Settings) fill() {
	setDefault(&s.Capacity, DefaultCapacity)
	setDefault(&s.Policy, Reject)
	setDefault(&s.Strategy, MostFreeVRAM)
	setDefault(&s.Deadline, DefaultDeadline)
	setDefault(&s.KeepEnded, DefaultKeepEnded)
	setDefault(&s.KeepEndedTasks, DefaultKeepEndedTasks)
	setDefault(&s.NodeTimeout, DefaultNodeTimeout)
	setDefault(&s.RequestBytes, DefaultRequestBytes)
	setDefault(&s.EventBytes, DefaultEventBytes)
	setDefault(&s.ContentBytes, DefaultContentBytes)
	setDefault(&s.KeepContent, DefaultKeepContent)
	setDefault(&s.compactPause, compactPause)
	if s.Resolver == nil {
		s.Resolver = net.DefaultResolver
	}
}
