package main

// The audit trail: auth.md §6 and §9.8.
var edgeAudit = []Mutant{
	{
		Name: "audit/file-mode", Control: "auth.md §6: file sinks are 0600",
		File:    "caddymodule/trail/file_open.go",
		Old:     "const fileMode os.FileMode = 0o600",
		New:     "const fileMode os.FileMode = 0o644",
		Package: "./caddymodule/trail", Tests: "TestTheFileIsItsOwnersAlone",
	},
	{
		Name: "audit/wide-file", Control: "auth.md §6: a file that others can read is made 0600",
		File: "caddymodule/trail/file_open.go",
		Old: `	return f.Chmod(fileMode)
`,
		New: `	return nil
`,
		Package: "./caddymodule/trail", Tests: "TestTheFileIsItsOwnersAlone",
	},
	{
		Name: "audit/symbolic-link", Control: "a symbolic link is not followed",
		File:    "caddymodule/trail/file_open.go",
		Old:     "os.O_RDWR | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW |",
		New:     "os.O_RDWR | os.O_APPEND | os.O_CREATE |",
		Package: "./caddymodule/trail", Tests: "TestSpecialFilesAreRefused",
	},
	{
		Name: "audit/two-writers", Control: "two processes do not write one file",
		File:    "caddymodule/trail/file_open.go",
		Old:     "errors.Is(err, syscall.EWOULDBLOCK) {",
		New:     "false && errors.Is(err, syscall.EWOULDBLOCK) {",
		Package: "./caddymodule/trail", Tests: "TestTwoWritersOfOneFileAreRefused",
	},
	{
		Name: "audit/seal", Control: "auth.md §6: verify finds a record that was edited",
		File:    "caddymodule/trail/verify.go",
		Old:     "if !v.sealer.of(purposeRecord, r.body).equal(r.seal) {",
		New:     "if false {",
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/predecessor", Control: "auth.md §6: each record carries the HMAC of its predecessor",
		File:    "caddymodule/trail/verify.go",
		Old:     "case r.n == want && r.prev.equal(v.head.seal):",
		New:     "case r.n == want:",
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/deleted-records", Control: "auth.md §6: verify finds records that are missing",
		File: "caddymodule/trail/verify.go",
		Old: `	case r.n > want:
`,
		New: `	case r.n > want && false:
`,
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/reordered", Control: "auth.md §6: verify finds records in another order",
		File:    "caddymodule/trail/verify.go",
		Old:     "case r.n > want && rest.holds(want):",
		New:     "case false:",
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/first-record", Control: "auth.md §6: verify finds that the first records are missing",
		File:    "caddymodule/trail/verify.go",
		Old:     "if r.n > 1 && eventOf(r.body) != EventOpened {",
		New:     "if false {",
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/torn-line", Control: "a line that is no record is explained by the next one, or edited",
		File:    "caddymodule/trail/verify.go",
		Old:     "if tornOf(r.body) != v.torn {",
		New:     "if false {",
		Package: "./caddymodule/trail", Tests: "TestTamperingIsNamed",
	},
	{
		Name: "audit/cut-tail", Control: "auth.md §6: a cut tail shows",
		File:    "caddymodule/trail/verify_end.go",
		Old:     "case !beingWritten(path):",
		New:     "case false:",
		Package: "./caddymodule/trail", Tests: "TestACutTailShows",
	},
	{
		Name: "audit/cut-by-head", Control: "auth.md §6: the sealed head shows a cut tail",
		File:    "caddymodule/trail/verify_end.go",
		Old:     "ok && saved.n > v.head.n {",
		New:     "ok && false {",
		Package: "./caddymodule/trail", Tests: "TestTruncationIsDetectedByHeadOrPeer",
	},
	{
		Name: "audit/old-checkpoint", Control: "auth.md §6: a file without new checkpoints was cut",
		File:    "caddymodule/trail/verify_end.go",
		Old:     "case v.now.Sub(v.checked) > checkpointIdle+liveSlack:",
		New:     "case false:",
		Package: "./caddymodule/trail", Tests: "TestACutTailShows",
	},
	{
		Name: "audit/forged-end", Control: "a forged end is not continued",
		File:    "caddymodule/trail/recover.go",
		Old:     "case err != nil || !o.chain.sealer.of(purposeRecord, record.body).equal(record.seal):",
		New:     "case err != nil:",
		Package: "./caddymodule/trail", Tests: "TestAForgedEndIsNotContinued",
	},
	{
		Name: "audit/truncated-report", Control: "a restart reports that records are missing",
		File:    "caddymodule/trail/recover.go",
		Old:     "case record.n < known.n:",
		New:     "case false:",
		Package: "./caddymodule/trail", Tests: "TestTruncationIsReportedAfterARestart",
	},
	{
		Name: "audit/checkpoints", Control: "auth.md §6: a chain has periodic checkpoints",
		File:    "caddymodule/trail/chain.go",
		Old:     "return c.unsealed >= checkpointRecords || now.Sub(c.checkpoint) >= wait",
		New:     "return c.unsealed >= checkpointRecords && now.Sub(c.checkpoint) >= wait",
		Package: "./caddymodule/trail", Tests: "TestCheckpointsComeByNumberAndByTime",
	},
	{
		Name: "audit/seal-purpose", Control: "a seal of one purpose does not stand for another",
		File: "caddymodule/trail/chain.go",
		Old: `	s.mac.Write([]byte(purpose))
`,
		New: `	_ = purpose
`,
		Package: "./caddymodule/trail", Tests: "TestSealsOfTwoPurposesDiffer",
	},
	{
		Name: "audit/required-waits", Control: "auth.md §6: a required record is handed to the kernel first",
		File: "caddymodule/trail/sink.go",
		Old: `	return receipt.await(s.timeout)
`,
		New: `	_ = receipt
	return nil
`,
		Package: "./caddymodule/trail", Tests: "TestWaitingRecordsGetTheWriteError|TestARequiredRecordIsWrittenFirst",
	},
	{
		Name: "audit/hung-sink", Control: "auth.md §6: a hung sink does not stall the gateway",
		File:    "caddymodule/trail/sink.go",
		Old:     "if r.Wait && s.stalled() {",
		New:     "if false && s.stalled() {",
		Package: "./caddymodule/trail", Tests: "TestWaitingForAHungSinkEndsAndLaterOnesDoNotWait",
	},
	{
		Name: "audit/queue-bound", Control: "auth.md §6: each sink has a bounded queue",
		File:    "caddymodule/trail/queue.go",
		Old:     "if s.stopped || len(b.lines)+len(r.Line) >= queueBytes {",
		New:     "if s.stopped {",
		Package: "./caddymodule/trail", Tests: "TestAHungSinkDelaysNoRequestAndIsCounted",
	},
	{
		Name: "audit/reserve", Control: "auth.md §9.8: a reserve of the disk is kept for allowed requests",
		File:    "caddymodule/trail/reserve.go",
		Old:     "if r.left.Add(-int64(bytes+chainSize)) >= 0 {",
		New:     "if true {",
		Package: "./caddymodule/trail", Tests: "TestHowMuchExpendableRecordsMayTake",
	},
	{
		Name: "audit/moved-file", Control: "auth.md §6: file sinks notice rotation within 1 s",
		File:    "caddymodule/trail/file_rotate.go",
		Old:     "err != nil || !os.SameFile(ours, named) {",
		New:     "err != nil || false && !os.SameFile(ours, named) {",
		Package: "./caddymodule/trail", Tests: "TestTheFileMayMove",
	},
}
