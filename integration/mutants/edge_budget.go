package main

// The counts of budgets: auth.md §12.
var edgeBudget = []Mutant{
	{
		Name: "budget/overrun", Control: "auth.md §12: a budget of requests is never overrun",
		File:    "caddymodule/budget/reservation.go",
		Old:     "if a.left(c.Budget.Amount) >= c.Amount {",
		New:     "if true {",
		Package: "./caddymodule/budget", Tests: "TestParallelRequestsDoNotOverrunABudget",
	},
	{
		Name: "budget/all-or-none", Control: "auth.md §12: all budgets of a request are reserved, or none",
		File: "caddymodule/budget/reservation.go",
		Old: `			r.shares[i].take(-r.shares[i].held)
`,
		New: `			_ = i
`,
		Package: "./caddymodule/budget", Tests: "TestAFailedReservationGivesBackWhatItTook|TestAJournalThatCannotBeWrittenRefuses",
	},
	{
		Name: "budget/settle", Control: "auth.md §12: what was used replaces the reservation",
		File: "caddymodule/budget/reservation.go",
		Old: `		return tokens
	})`,
		New: `		return s.reserved()
	})`,
		Package: "./caddymodule/budget", Tests: "TestWhatWasUsedReplacesTheReservation",
	},
	{
		Name: "budget/hard", Control: "auth.md §12: a hard budget is extended to its end and no further",
		File:    "caddymodule/budget/reservation.go",
		Old:     "tokens = min(tokens, left)",
		New:     "_ = left",
		Package: "./caddymodule/budget", Tests: "TestAHardBudgetIsExtendedToItsEnd",
	},
	{
		Name: "budget/debt", Control: "auth.md §12: a debt reduces the next window",
		File:    "caddymodule/budget/account.go",
		Old:     "a.used = max(0, a.total()-Multiply(a.limit, passed))",
		New:     "a.used = 0 * passed",
		Package: "./caddymodule/budget", Tests: "TestADebtReducesTheNextWindows",
	},
	{
		Name: "budget/saturates", Control: "auth.md §12: arithmetic saturates",
		File:    "caddymodule/budget/saturate.go",
		Old:     "if a > math.MaxInt64-b {",
		New:     "if a > math.MaxInt64 {",
		Package: "./caddymodule/budget", Tests: "TestCountsSaturate",
	},
	{
		Name: "budget/clock", Control: "a clock that jumps back gives nothing twice",
		File:    "caddymodule/budget/ledger.go",
		Old:     "if now := l.options.Now(); now.After(l.latest) {",
		New:     "if now := l.options.Now(); true {",
		Package: "./caddymodule/budget", Tests: "TestAClockThatJumpsBackGivesNothingTwice",
	},
	{
		Name: "budget/table", Control: "the table of budgets is bounded",
		File:    "caddymodule/budget/ledger.go",
		Old:     "len(l.accounts) >= l.options.Accounts ||",
		New:     "false ||",
		Package: "./caddymodule/budget", Tests: "TestTheTableIsBounded",
	},
	{
		Name: "budget/table-of-proxies", Control: "names of a proxy take half of the table at most",
		File:    "caddymodule/budget/ledger.go",
		Old:     "|| c.Named && l.named >= l.options.Accounts/2 {",
		New:     "{",
		Package: "./caddymodule/budget", Tests: "TestTheTableIsBounded|TestTheShareOfProxiesSurvivesARestart",
	},
	{
		Name: "budget/journal-mode", Control: "auth.md §12: the journal is 0600",
		File:    "caddymodule/budget/journal.go",
		Old:     "const fileMode os.FileMode = 0o600",
		New:     "const fileMode os.FileMode = 0o644",
		Package: "./caddymodule/budget", Tests: "TestTheJournalIsItsOwnersAlone",
	},
	{
		Name: "budget/lock", Control: "auth.md §12: the journal is locked",
		File: "caddymodule/budget/journal.go",
		Old: `if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt`,
		New: `if false {
			return nil, fmt`,
		Package: "./caddymodule/budget", Tests: "TestASecondProcessIsRefused",
	},
	{
		Name: "budget/directory-mode", Control: "a directory that others can write is refused",
		File:    "caddymodule/budget/journal.go",
		Old:     "if info.Mode().Perm()&0o022 != 0 {",
		New:     "if false {",
		Package: "./caddymodule/budget", Tests: "TestADirectoryThatOthersWriteIsRefused",
	},
	{
		Name: "budget/directory-owner", Control: "a directory of another user is refused",
		File:    "caddymodule/budget/journal.go",
		Old:     "int64(owner) != int64(uid) {",
		New:     "false {",
		Package: "./caddymodule/budget", Tests: "TestADirectoryOfAnotherUserIsRefused",
	},
	{
		Name: "budget/checksum", Control: "auth.md §12: a damaged line of the journal is refused",
		File:    "caddymodule/budget/journal_line.go",
		Old:     "case ok && damaged > 0:",
		New:     "case false:",
		Package: "./caddymodule/budget", Tests: "TestATornTailIsDroppedAndDamageIsRefused",
	},
	{
		Name: "budget/torn-tail", Control: "auth.md §12: a torn tail is dropped",
		File: "caddymodule/budget/journal_line.go",
		Old: `		err = j.f.Truncate(j.size)
`,
		New:     "",
		Package: "./caddymodule/budget", Tests: "TestATornTailIsDroppedAndDamageIsRefused",
	},
	{
		Name: "budget/crash", Control: "auth.md §12: reservations open at a crash are spent",
		File:    "caddymodule/budget/account.go",
		Old:     "func (a *account) total() int64 { return Add(a.used, a.open) }",
		New:     "func (a *account) total() int64 { return a.used }",
		Package: "./caddymodule/budget", Tests: "TestACrashChargesWhatWasReserved",
	},
	{
		Name: "budget/unwritable", Control: "auth.md §12: a journal that cannot be written refuses",
		File:    "caddymodule/budget/reservation.go",
		Old:     "if err := l.write(r.shares); err != nil && !open {",
		New:     "if err := l.write(r.shares); err != nil && false {",
		Package: "./caddymodule/budget", Tests: "TestAJournalThatCannotBeWrittenRefuses",
	},
	{
		Name: "budget/sync", Control: "auth.md §12: the journal is synced once a second",
		File: "caddymodule/budget/store.go",
		Old: `		err = j.sync(f)
`,
		New: `		_ = f
`,
		Package: "./caddymodule/budget", Tests: "TestTheJournalIsSyncedOnceASecond|TestASyncThatFailsRefusesUntilTheFileIsReplaced",
	},
}
