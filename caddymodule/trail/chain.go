package trail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"log/slog"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
)

// seal is an HMAC-SHA256 under the chain's key.
type seal [sha256.Size]byte

func (s seal) equal(t seal) bool { return hmac.Equal(s[:], t[:]) }

// A record of a chained file ends in three fields: its number, the seal of its
// predecessor, and its own seal, which covers everything before it in the line.
//
//	…,"n":7,"prev":"<64 hex>","mac":"<64 hex>"}
//
// The first record of all has number 1 and the zero seal as its predecessor's.
const (
	fieldN    = `,"n":`
	fieldPrev = `,"prev":"`
	fieldMAC  = `,"mac":"`
	lineEnd   = `"}`
	sealHex   = 2 * sha256.Size

	// chainSize is what they take at most, with the line end.
	chainSize = len(fieldN) + 20 + len(fieldPrev) + sealHex + 1 + len(fieldMAC) + sealHex + len(lineEnd) + 1
)

const (
	// checkpointRecords and checkpointInterval say when a chain under load has a
	// checkpoint: a cut tail is at most this long.
	checkpointRecords  = 1000
	checkpointInterval = 5 * time.Second
	// checkpointIdle is the time between checkpoints without new records.
	checkpointIdle = time.Minute
)

// sealer makes seals under one key. It is not safe for concurrent use.
type sealer struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func newSealer(key authmin.Secret) *sealer {
	return &sealer{mac: hmac.New(sha256.New, []byte(key.Reveal()))}
}

// of seals bytes for one purpose, so that no seal can stand for another.
func (s *sealer) of(purpose string, data []byte) seal {
	s.mac.Reset()
	s.mac.Write([]byte(purpose))
	s.mac.Write([]byte{0})
	s.mac.Write(data)
	return seal(s.mac.Sum(s.sum[:0]))
}

const (
	purposeRecord = "record"
	purposeHead   = "head"
)

// chainHead is the end of a chain: the number and the seal of its last record.
type chainHead struct {
	n    uint64
	seal seal
}

// chain adds records to a chain.
type chain struct {
	chainHead
	sealer     *sealer
	unsealed   int // records since the last checkpoint
	checkpoint time.Time
}

// append writes a record, without line end, as the next of the chain.
func (c *chain) append(dst, record []byte) []byte {
	start := len(dst)
	dst = append(dst, record[:len(record)-1]...) // without its closing brace
	dst = append(dst, fieldN...)
	dst = strconv.AppendUint(dst, c.n+1, 10)
	dst = append(dst, fieldPrev...)
	dst = hex.AppendEncode(dst, c.seal[:])
	dst = append(dst, '"')
	own := c.sealer.of(purposeRecord, dst[start:])
	dst = append(dst, fieldMAC...)
	dst = hex.AppendEncode(dst, own[:])
	dst = append(dst, lineEnd+"\n"...)
	c.chainHead = chainHead{c.n + 1, own}
	c.unsealed++
	return dst
}

// due reports whether it is time for a checkpoint.
func (c *chain) due(now time.Time) bool {
	wait := checkpointInterval
	if c.unsealed == 0 {
		wait = checkpointIdle
	}
	return c.unsealed >= checkpointRecords || now.Sub(c.checkpoint) >= wait
}

// appendControl writes a record about the trail itself.
func (c *chain) appendControl(dst []byte, event, cause string, torn int) []byte {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, event, 0)
	r.AddAttrs(slog.Uint64("seq", NextSeq()), slog.String("event", event), slog.String("cause", cause))
	if torn > 0 {
		r.AddAttrs(slog.Int("torn", torn))
	}
	return c.append(dst, AppendRecord(nil, &r))
}

// appendCheckpoint seals the records so far.
func (c *chain) appendCheckpoint(dst []byte, cause string) []byte {
	dst = c.appendControl(dst, EventCheckpoint, cause, 0)
	c.unsealed, c.checkpoint = 0, time.Now()
	return dst
}
