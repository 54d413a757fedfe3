package orchestrator

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// newEvent encodes data, which is one of the types above and cannot fail.
func newEvent(id uint64, t EventType, data any) Event {
	return Event{ID: id, Type: t, Data: encodeData(data)}
}

func encodeData(data any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		panic("orchestrator: encoding event: " + err.Error())
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// encodeToken is encodeData for the one type of which there are many.
func encodeToken(text string, index int) []byte {
	if !nodeapi.Plain(text) {
		return encodeData(TokenData{text, index})
	}
	data := make([]byte, 0, len(text)+len(`{"t":"","i":1000000}`))
	data = append(append(append(data, `{"t":"`...), text...), `","i":`...)
	return append(strconv.AppendInt(data, int64(index), 10), '}')
}

// gapEvent reports that events from…to are lost. Its id is the last of them, so that a
// reader that resumes after it does not get the gap again.
func gapEvent(from, to uint64) Event { return newEvent(to, EventGap, gapData{from, to}) }

// encodeBatch gives the log record of some events; they came from encodeData, so
// they encode.
func encodeBatch(batch []Event) []byte {
	size := 2
	for _, ev := range batch {
		if ev.Type.Raw() {
			size += len(ev.Data) / 4 // the quotes of a chunk of JSON, escaped
		}
		size += len(ev.Data) + len(ev.Type) + len(`{"id":18446744073709551615,"type":"","data":},`)
	}
	out := append(make([]byte, 0, size), '[')
	for i, ev := range batch {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":`...)
		out = strconv.AppendUint(out, ev.ID, 10)
		out = append(out, `,"type":"`...)
		out = append(out, ev.Type...)
		out = append(out, `","data":`...)
		if ev.Type.Raw() {
			out = appendText(out, ev.Data)
		} else {
			out = append(out, ev.Data...)
		}
		out = append(out, '}')
	}
	return append(out, ']')
}

func decodeBatch(record []byte) ([]Event, error) {
	var batch []Event
	if err := json.Unmarshal(record, &batch); err != nil {
		return nil, err
	}
	for i := range batch {
		if ev := &batch[i]; ev.Type.Raw() {
			var text string
			if err := json.Unmarshal(ev.Data, &text); err != nil {
				return nil, err
			}
			ev.Data = []byte(text)
		}
	}
	return batch, nil
}

const hexDigits = "0123456789abcdef"

// appendText appends valid UTF-8 as a JSON string.
func appendText(out, text []byte) []byte {
	out = append(out, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		default:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(out, text[from:]...), '"')
}
