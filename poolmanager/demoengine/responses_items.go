package demoengine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// maxItemsPage is OpenAI's bound of one page of input items, and defaultItemsPage its default.
const (
	maxItemsPage     = 100
	defaultItemsPage = 20
)

// showInputItems gives a page of the input: limit items after the one named after, the
// newest first unless order is asc.
func (e *engine) showInputItems(w http.ResponseWriter, r *http.Request, k kept) {
	query := r.URL.Query()
	limit := defaultItemsPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxItemsPage {
			failValue(w, "limit", "limit: want 1 to 100")
			return
		}
		limit = n
	}
	items := slices.Clone(k.items)
	switch query.Get("order") {
	case "", "desc":
		slices.Reverse(items)
	case "asc":
	default:
		failValue(w, "order", "order: want asc or desc")
		return
	}
	if after := query.Get("after"); after != "" {
		at := slices.IndexFunc(items, func(item json.RawMessage) bool { return itemID(item) == after })
		if at < 0 {
			failValue(w, "after", "after: want the id of an item of this response")
			return
		}
		items = items[at+1:]
	}
	page := items[:min(limit, len(items))]
	list := map[string]any{"object": "list", "data": page, "has_more": len(page) < len(items), "first_id": nil, "last_id": nil}
	if len(page) > 0 {
		list["first_id"], list["last_id"] = itemID(page[0]), itemID(page[len(page)-1])
	}
	reply(w, list)
}

func itemID(raw json.RawMessage) string {
	var item struct{ ID string }
	_ = json.Unmarshal(raw, &item) // made here
	return item.ID
}
