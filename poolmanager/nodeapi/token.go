package nodeapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Plain reports whether a text needs no escapes in a JSON string: valid UTF-8 without
// quotes, backslashes or control characters. Nearly every token is plain.
func Plain[T string | []byte](text T) bool {
	high := false
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		high = high || c >= utf8.RuneSelf
	}
	return !high || utf8.ValidString(string(text))
}

// The JSON around a plain text and its index. Nearly all events are tokens, so they
// alone are encoded and decoded by hand.
const (
	tokenHead = `{"t":"`
	tokenNext = `","i":`
	tokenEnd  = `}`
)

// appendToken appends the data of a token event.
func appendToken(dst []byte, text string, index int) ([]byte, error) {
	if !Plain(text) {
		data, err := json.Marshal(tokenData{text, index})
		return append(dst, data...), err
	}
	dst = append(append(append(dst, tokenHead...), text...), tokenNext...)
	return append(strconv.AppendInt(dst, int64(index), 10), tokenEnd...), nil
}

// decodeToken reads a token's data, as appendToken or another program wrote it.
func decodeToken(data []byte) (text string, index int, err error) {
	if text, index, ok := plainToken(data); ok {
		return text, index, nil
	}
	var d tokenData
	err = json.Unmarshal(data, &d)
	return d.T, d.I, err
}

// maxDigits is less than an int overflows at.
const maxDigits = 9

func plainToken(data []byte) (text string, index int, ok bool) {
	data, head := bytes.CutPrefix(data, []byte(tokenHead))
	data, end := bytes.CutSuffix(data, []byte(tokenEnd))
	between, digits, next := bytes.Cut(data, []byte(tokenNext))
	if !head || !end || !next || !Plain(between) || len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(digits) > 1 {
		return "", 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return "", 0, false
		}
		index = 10*index + int(d-'0')
	}
	return string(between), index, true
}
