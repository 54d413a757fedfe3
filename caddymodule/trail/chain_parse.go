package trail

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
)

// chainedRecord are the chain's fields of one line.
type chainedRecord struct {
	chainHead
	prev seal
	body []byte // what the seal covers
}

var errNotChained = errors.New("it is not a record of a chain")

// parseChained splits a line, without its line end. It does not check the seal.
func parseChained(line []byte) (chainedRecord, error) {
	var r chainedRecord
	if len(line) > MaxRecord {
		return r, errNotChained
	}
	rest, ok := bytes.CutSuffix(line, []byte(lineEnd))
	if !ok || !cutSeal(&rest, fieldMAC, &r.seal) {
		return r, errNotChained
	}
	r.body = rest
	rest, ok = bytes.CutSuffix(rest, []byte(`"`))
	if !ok || !cutSeal(&rest, fieldPrev, &r.prev) {
		return r, errNotChained
	}
	at := bytes.LastIndex(rest, []byte(fieldN))
	if at < 0 {
		return r, errNotChained
	}
	n, err := strconv.ParseUint(string(rest[at+len(fieldN):]), 10, 64)
	if err != nil || n == 0 {
		return r, errNotChained
	}
	r.n = n
	return r, nil
}

// cutSeal removes a field's name and its 64 digits from the end of rest.
func cutSeal(rest *[]byte, field string, s *seal) bool {
	at := len(*rest) - sealHex
	if at < len(field) || string((*rest)[at-len(field):at]) != field {
		return false
	}
	if _, err := hex.Decode(s[:], (*rest)[at:]); err != nil {
		return false
	}
	*rest = (*rest)[:at-len(field)]
	return true
}
