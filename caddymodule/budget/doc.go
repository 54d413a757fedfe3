// Package budget counts what identities use of their budgets, and keeps the counts on
// disk. It knows neither HTTP nor Caddy: package caddymodule decides which budgets apply
// to a request, and what it may cost.
//
//	reservation, err := ledger.Reserve(claims) // before the upstream is asked
//	reservation.Extend(4096)                   // while a stream runs
//	reservation.Settle(figures)                // when its usage is known
//
// # What it promises
//
//   - Several budgets may apply to one request: all of them are reserved, or none.
//   - What is settled and what is reserved together never exceed a budget when a
//     reservation is made. A budget of requests is therefore never overrun, and one of
//     tokens only by what a request uses beyond its reservations. That is a debt: it
//     reduces the next window.
//   - A reservation is in the file before Reserve returns, as one write without fsync: it
//     survives a kill -9 of the process. The file is synced once a second, so that a power
//     cut loses at most the last second.
//   - The file has the sum of what is settled and reserved. What requests had reserved
//     when the process died counts as used.
//   - Windows never go backwards, also after a restart: a clock that jumps back gives
//     nothing twice. A clock that was wrongly in the future keeps the windows there until
//     it is reached; deleting the file begins anew.
//   - A file that cannot be written refuses reservations, with [ErrUnavailable].
//
// # What it does not promise
//
// Each ledger counts for itself: two gateways with one keyring give twice the budget. The
// checksums find damage, not forgery: an attacker who can write the file can change it.
//
// # The file
//
// budgets.journal in the directory of the ledger has a line for each change of a count,
//
//	CRC TIME KEY WINDOW USED LIMIT BY
//
// with CRC-32C in hexadecimal digits over what follows it, the time and the beginning of
// the window as Unix seconds, the key as in the query of a URL, the sum of what is settled
// and reserved, and `keyring` or `proxy` for what names the identity. The last line of a
// key is its count. When the file has grown it is replaced by one with a line for each
// count, which is written to budgets.journal.new while requests go on.
//
// # Index
//
//   - Counts: [Ledger], [New], [Options], [Claim], [Reservation], [State]
//   - Refusals: [SpentError], [ErrUnavailable], [ErrFull]
//   - Windows: [Window]
//   - Checks before a start: [CheckDirectory]
package budget
