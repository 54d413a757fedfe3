package main

// How the answer to a native call is written: clients.md, the answer.

var orchestratorAnswers = []Mutant{
	{
		Name: "httpapi/answer/known-events", Control: "clients.md resumable: no double",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestACallGoesOnWhereItsReaderLeft",
		Old: "\t\tcase c.streams() && c.known(ev):",
		New: "\t\tcase false && (c.streams() && c.known(ev)):",
	},
	{
		Name: "httpapi/answer/ids-with-a-key", Control: "clients.md answer: id lines only with an Idempotency-Key",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestACallReachesItsPoolByteForByte",
		Old: "\tif !c.ids || !complete",
		New: "\tif false && (!c.ids) || !complete",
	},
	{
		Name: "httpapi/call/leaves", Control: "clients.md: a client that goes away cancels its call, unless it gave a key",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestACallerThatLeavesCancelsUnlessItMayComeBack",
		Old: `	if key != "" {`,
		New: `	if false && (key != "") {`,
	},
	{
		Name: "httpapi/call/leaves-without-a-key", Control: "clients.md: a client that goes away cancels its call",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestACallerThatLeavesCancelsUnlessItMayComeBack",
		Old: "\tif c.again || ctx.Err() != nil {",
		New: "\tif false && (c.again || ctx.Err() != nil) {",
	},
	{
		Name: "httpapi/answer/sandbox", Control: "clients.md headers of the answer: Content-Security-Policy: sandbox",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestANodeSetsNoOtherHeader",
		Old: `	h.Set("Content-Security-Policy", "sandbox")`,
		New: `	if false {
		h.Set("Content-Security-Policy", "sandbox")
	}`,
	},
	{
		Name: "httpapi/answer/header", Control: "clients.md headers of the answer: a list, and nothing else",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestAnAnswersHeaderIsFromTheList",
		Old: "\t\tif nodeapi.TravelsWithAnswer(name) {",
		New: "\t\tif nodeapi.TravelsWithAnswer(name) || true {",
	},
	{
		Name: "httpapi/answer/gap", Control: "clients.md resumable: no hole",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestAnErasedAnswerIsNotGivenAgain",
		Old: `	case orchestrator.EventGap:
		return errGap
	case orchestrator.EventAnswer:`,
		New: `	case orchestrator.EventGap:
		if false {
			return errGap
		}
	case orchestrator.EventAnswer:`,
	},
	{
		Name: "httpapi/problem/conflict-is-final", Control: "clients.md errors: X-Should-Retry false where repeating cannot help",
		File: "orchestrator/httpapi/problem.go", Package: "./orchestrator/httpapi", Tests: "TestAConflictIsNotToBeRepeated",
		Old: "\tif e.Kind == orchestrator.Conflict { // which",
		New: "\tif false && (e.Kind == orchestrator.Conflict) { // which",
	},
	{
		Name: "httpapi/answer/refusal-of-the-engine", Control: "clients.md errors keep their class: status and body come back",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestAnErrorKeepsItsClass",
		Old: "\tcase c.head != nil && !c.accepted() && c.out == nil: // the engine's own refusal",
		New: "\tcase false && (c.head != nil && !c.accepted() && c.out == nil): // the engine's own refusal",
	},
	{
		Name: "httpapi/answer/broken-in-an-event", Control: "a stream that breaks in an event has no proper end",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestAnEventThatBreaksOffIsBrokenOff",
		Old: "\tif c.open { // an event that was begun cannot be taken back",
		New: "\tif false && (c.open) { // an event that was begun cannot be taken back",
	},
	{
		Name: "httpapi/answer/held-status", Control: "clients.md answer: headers are held until the engine answers",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestHeartbeatsDoNotDecideTheStatus",
		Old: "\t\tif time.Now().Before(commit) {",
		New: "\t\tif false && (time.Now().Before(commit)) {",
	},
	{
		Name: "httpapi/models/of-the-caller", Control: "auth.md §10: lists of models are those of the caller",
		File: "orchestrator/catalog_names.go", Package: "./orchestrator/httpapi", Tests: "TestListsOfModelsAreThoseOfTheCaller",
		Old: `		if name != "" && !c.retired(name) && c.allows(allowed, name) {`,
		New: `		if name != "" && !c.retired(name) && (true || (c.allows(allowed, name))) {`,
	},
	{
		Name: "httpapi/answer/nothing-inside-an-event", Control: "clients.md answer: a comment is never within an event",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestNoCommentIsWithinAnEvent",
		Old: "\tif c.open || c.dialect.alive == nil {",
		New: "\tif false && (c.open) || c.dialect.alive == nil {",
	},
	{
		Name: "httpapi/call/place-of-a-stream", Control: "the places for open streams are given back",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestPlacesForStreamsAreGivenBack",
		Old: `		defer release()
		r, w := humago.Unwrap(hc)`,
		New: `		if false {
			defer release()
		}
		r, w := humago.Unwrap(hc)`,
	},
	{
		Name: "httpapi/tasks/place-of-a-stream", Control: "the places for open streams are given back",
		File: "orchestrator/httpapi/tasks.go", Package: "./orchestrator/httpapi", Tests: "TestStreamsOfOneCallerLeaveRoomForTheNext",
		Old: "\t\tdefer release()",
		New: `		if false {
			defer release()
		}`,
	},
}
