package trail

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Timeout bounds the wait for a sink that hangs: of a request for a required sink, of a
// write to a socket, and of a stop for the rest of the queue.
const Timeout = 2 * time.Second

// queueBytes bounds the records that wait for one sink: 4 MiB are some 7,000
// ordinary records, a quarter of a second at 30,000 requests a second. There are
// two such buffers, one being filled and one being written.
const queueBytes = 4 << 20

// The reasons why a record was not written.
var (
	ErrQueueFull = errors.New("the sink's queue is full")
	ErrStalled   = errors.New("the sink hangs")
	ErrStopped   = errors.New("the sink is closed")
)

// Record is one line of the trail and how to treat it.
type Record struct {
	// Line is a JSON object without a line end, of at most [MaxLine] bytes. It is
	// copied.
	Line []byte
	// Wait for the kernel to have the record.
	Wait bool
	// Expendable records are dropped while the disk has only its reserve left: records
	// that a client can cause at no cost, such as refusals. Dropping one is not an error.
	Expendable bool
}

// Sink is one destination of the trail: an output, a bounded queue before it, and the
// one goroutine that empties the queue. It is safe for concurrent use.
//
// [Sink.Start] starts the goroutine and [Sink.Stop] ends it. Records that are put
// before the start wait.
type Sink struct {
	out      output
	counters Counters
	log      func() *slog.Logger
	reserve  *reserve
	timeout  time.Duration

	startOnce sync.Once
	startErr  error
	wake      chan struct{} // a record waits
	urgent    chan struct{} // a caller waits for its record
	stop      chan struct{}
	done      chan struct{}
	busySince atomic.Int64 // Unix nanoseconds since when the output works; 0 while idle
	lost      atomic.Int64 // records not written since the last EventGap

	mu      sync.Mutex
	filling *batch
	running bool
	stopped bool

	// Of the goroutine.
	spare   *batch
	failing bool
	gap     []byte
}

// NewFile makes a sink that appends to a file. With a key the file is a chain.
// Nothing is opened before [Sink.Start].
func NewFile(path string, key authmin.Secret, options Options) *Sink {
	options = options.withDefaults()
	out := newFileOutput(filepath.Clean(path), key, options.Log)
	s := newSink(out, options)
	s.reserve = out.reserve
	return s
}

// NewSyslog makes a sink that sends RFC 5424 messages over udp, tcp or unix; with an
// empty network and address to the local collector, /dev/log.
func NewSyslog(network, address string, options Options) *Sink {
	if address == "" {
		network, address = "unix", localSyslog
	}
	return newSink(newSyslogOutput(network, address), options)
}

// NewStderr makes a sink that writes to standard error.
func NewStderr(options Options) *Sink { return newSink(newStderrOutput(), options) }

func newSink(out output, options Options) *Sink {
	options = options.withDefaults()
	return &Sink{
		out: out, counters: options.Counters, log: options.Log, timeout: Timeout,
		reserve: newReserve(options.Log),
		wake:    make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
		filling: new(batch), spare: new(batch),
	}
}

// Start opens the output and begins to write. Only the first call does so; later
// ones return its error. It succeeds with a full disk and with a syslog collector
// that does not answer yet.
func (s *Sink) Start() error {
	s.startOnce.Do(func() {
		if s.startErr = s.out.open(); s.startErr != nil {
			return
		}
		s.mu.Lock()
		s.running = !s.stopped
		s.mu.Unlock()
		if s.running {
			go s.run()
		}
	})
	return s.startErr
}

// Stop writes the records that wait, closes the output, and ends the goroutine. It
// returns [ErrStalled] after [Timeout]: an output that hangs in the kernel cannot be
// ended, and its goroutine stays.
func (s *Sink) Stop() error {
	s.mu.Lock()
	first, running := !s.stopped, s.running
	s.stopped = true
	s.mu.Unlock()
	if !running {
		return nil
	}
	if first {
		close(s.stop)
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(s.timeout):
		return ErrStalled
	}
}

// SetReserve sets how many bytes of its disk a file keeps free of expendable records.
// 0 is the default: 64 MiB, or a quarter of a disk smaller than four times that.
// [NoReserve] keeps nothing. Other sinks have no disk.
func (s *Sink) SetReserve(bytes int64) { s.reserve.setting.Store(max(bytes, NoReserve)) }

// Put adds a record to the queue. It returns an error when the record is lost and,
// with Wait, when it could not be written.
func (s *Sink) Put(r Record) error {
	if r.Expendable && !s.reserve.spend(len(r.Line)) {
		s.drop()
		return nil
	}
	if r.Wait && s.stalled() {
		s.drop()
		return ErrStalled
	}
	receipt, err := s.enqueue(r)
	if err != nil {
		s.drop()
		return err
	}
	if !r.Wait {
		return nil
	}
	return receipt.await(s.timeout)
}

func (s *Sink) drop() {
	s.lost.Add(1)
	s.counters.Dropped.Inc()
}

// stalled reports whether the output has been blocked for [Timeout], so that later callers
// do not wait as well.
func (s *Sink) stalled() bool {
	since := s.busySince.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(s.timeout)
}
