//go:build rolling

package rolling_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// event is one of a task's stream.
type event struct{ id, kind, data string }

func (e event) ends() bool { return e.kind == "end" || e.kind == "error" || e.kind == "canceled" }

// readEvents reads a stream until it ends or breaks off.
func readEvents(res *http.Response) (events []event, err error) {
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, &refusal{status: res.StatusCode}
	}
	var e event
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.kind != "" {
				events = append(events, e)
			}
			e = event{}
		}
	}
	return events, lines.Err()
}

// judge checks what the reader of a task saw: ids rise by one, tokens are in their order,
// and after one end comes nothing.
func judge(events []event) (end event, err error) {
	last, tokens := 0, 0
	for i, e := range events {
		id, err := strconv.Atoi(e.id)
		if err != nil {
			return e, fmt.Errorf("%s has the id %q", e.kind, e.id)
		}
		switch {
		case e.kind == "waiting": // is in no log, and has the id of the event before it
		case id != last+1:
			return e, fmt.Errorf("%s has the id %d after %d", e.kind, id, last)
		case e.kind == "token":
			var token struct{ I int }
			if err := json.Unmarshal([]byte(e.data), &token); err != nil || token.I != tokens {
				return e, fmt.Errorf("token %d is %s", tokens, e.data)
			}
			tokens++
		case e.ends() && i < len(events)-1:
			return e, errors.New("it goes on after its end")
		}
		last = id
	}
	if len(events) == 0 || !events[len(events)-1].ends() {
		return event{}, errors.New("it has no end")
	}
	return events[len(events)-1], nil
}
