package page

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// paces are how often a reader is sent what.
type paces struct {
	counts time.Duration // decisions and records
	fleet  time.Duration // between two questions to the orchestrator
	tokens time.Duration // tokens, usage, budgets and lockouts
	slow   time.Duration // how long a reader may take nothing
	life   time.Duration // of a stream; the page then opens another
}

// streamLife bounds a stream, so that the next one has the gateway's present credential for
// the orchestrator, and a record of its own in the audit trail.
const streamLife = 15 * time.Minute

var defaultPaces = paces{
	counts: time.Second, fleet: 2 * time.Second, tokens: 5 * time.Second,
	slow: 10 * time.Second, life: streamLife,
}

// Bounds of one event.
const (
	maxRecords  = 50 // in a second; older ones are left out
	maxTokens   = 200
	maxLockouts = 100
	maxGuards   = 16 // whose limits and budgets the reader has
	maxBudgets  = 200
	maxUsage    = 100
)

// greeting is the first event: who reads.
type greeting struct {
	Name         string          `json:"name"`
	FP6          string          `json:"fp6"`
	Scopes       []authmin.Scope `json:"scopes"`
	Admin        bool            `json:"admin"`
	Orchestrator bool            `json:"orchestrator"`
}

// counts are the decisions of the seconds that have ended.
type counts struct {
	Now     int64                `json:"now"`
	Seconds []caddymodule.Second `json:"seconds,omitempty"`
}

type tokenList struct {
	Total  int                        `json:"total"`
	Tokens []caddymodule.WatchedToken `json:"tokens"`
}

type lockoutList struct {
	Total   int                        `json:"total"`
	Clients []caddymodule.LockedClient `json:"clients"`
}

// budgetList are budgets of all identities.
type budgetList struct {
	Total   int                         `json:"total"`
	Budgets []caddymodule.WatchedBudget `json:"budgets"`
}

// usageList are the tokens of calls by identity and model.
type usageList struct {
	Total int                        `json:"total"`
	Rows  []caddymodule.WatchedUsage `json:"rows"`
}

// reader is one stream of everything that its caller may see.
type reader struct {
	*stream
	app    *caddymodule.App
	caller caddymodule.Caller
	own    string // the name of the one token that it sees; "" for all, with scope admin
	second int64  // the last one that was sent
	record uint64
}

// live streams until the reader leaves, the stream has lived long enough, or its token is
// not valid any more: the guard then ends the request.
func (p *Page) live(w http.ResponseWriter, r *http.Request, caller caddymodule.Caller) error {
	leave, ok := p.readers.enter(caller.Name)
	if !ok {
		w.Header().Set("Retry-After", "10")
		authmin.WriteProblem(w, r, problemReaders)
		return nil
	}
	defer leave()
	re := &reader{app: p.app, caller: caller}
	if !caller.IsAdmin() {
		re.own = caller.Name
		defer p.app.Watch().Follow(caller.Name)()
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.paces.life)
	fleets := p.watchFleet(ctx, identityOf(r.Header), caller)
	defer func() {
		cancel()
		for range fleets { // until its goroutine has ended
		}
	}()
	re.stream = open(w, r, p.paces.slow, func() bool { return p.app.IsCurrent(caller) })
	defer re.close()
	_ = re.run(ctx, p, fleets) // it ends so, or the reader has left
	return nil
}

// run is the one loop of a stream.
func (re *reader) run(ctx context.Context, p *Page, fleets <-chan fleet) error {
	err := re.send("hello", greeting{re.caller.Name, re.caller.Fingerprint, re.caller.Scopes, re.caller.IsAdmin(), p.upstream != nil})
	counting, tokens := time.NewTicker(p.paces.counts), time.NewTicker(p.paces.tokens)
	defer counting.Stop()
	defer tokens.Stop()
	if err == nil {
		err = re.sendLists()
	}
	if err == nil {
		err = re.sendCounts()
	}
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-counting.C:
			err = re.sendCounts()
		case <-tokens.C:
			err = re.sendLists()
		case f, open := <-fleets:
			if !open {
				fleets = nil
				continue
			}
			err = re.send("fleet", f)
		}
	}
	return err
}

// sendCounts sends the decisions of the seconds that have ended, and the new records.
func (re *reader) sendCounts() error {
	now := time.Now()
	seconds := re.app.Watch().Seconds(re.own, re.second, now)
	re.second = now.Unix() - 1
	if err := re.send("counts", counts{now.Unix(), seconds}); err != nil {
		return err
	}
	var lines []json.RawMessage
	if lines, re.record = re.app.Watch().Records(re.own, re.record, maxRecords); len(lines) == 0 {
		return nil
	}
	for some := range slices.Chunk(lines, recordsAtOnce) {
		if err := re.send("records", some); err != nil {
			return err
		}
	}
	return nil
}

// sendLists sends what the caller may see of its own token, of tokens and of usage and, with
// scope admin, the budgets of all identities and the clients that are locked out.
func (re *reader) sendLists() error {
	if err := re.send("account", re.app.WatchedAccount(re.caller, maxGuards)); err != nil {
		return err
	}
	rows, all := re.app.Watch().Usage(re.own, maxUsage, time.Now())
	if err := re.send("usage", usageList{all, rows}); err != nil {
		return err
	}
	tokens, total := re.app.WatchedTokens(re.own, maxTokens)
	if err := re.send("tokens", tokenList{total, tokens}); err != nil || re.own != "" {
		return err
	}
	budgets, total := re.app.WatchedBudgets(maxBudgets)
	if err := re.send("budgets", budgetList{total, budgets}); err != nil {
		return err
	}
	clients, total := re.app.LockedClients(maxLockouts)
	return re.send("lockouts", lockoutList{total, clients})
}
