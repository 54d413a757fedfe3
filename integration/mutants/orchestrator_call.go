package main

// What the orchestrator does with a native call and its answer: clients.md.

var orchestratorCalls = []Mutant{
	{
		Name: "orchestrator/call/disk-full", Control: "a full disk refuses new tasks",
		File: "orchestrator/task_admit.go", Package: "./orchestrator", Tests: "TestAFullDiskRefusesNewThingsAndKeepsTheOldOnesGoing",
		Old: "\tif err := o.store.CheckSpace(); err != nil {",
		New: "\tif err := o.store.CheckSpace(); false && (err != nil) {",
	},
	{
		Name: "orchestrator/call/erase-key", Control: "clients.md: DELETE erases a task's content on every disk",
		File: "orchestrator/task_cancel.go", Package: "./orchestrator", Tests: "TestAnErasedTaskLeavesTheDisk",
		Old: `	if task.content.Key != "" {`,
		New: `	if false && (task.content.Key != "") {`,
	},
	{
		Name: "orchestrator/call/content-bound", Control: "clients.md: all pieces under one bound (CONTENT_FULL)",
		File: "orchestrator/call_read.go", Package: "./orchestrator", Tests: "TestBodiesAreSharedByIdentities",
		Old: "\tif !r.o.content.held.Admits(r.owner, size) {",
		New: "\tif false && (!r.o.content.held.Admits(r.owner, size)) {",
	},
	{
		Name: "orchestrator/call/key-of-the-content", Control: "clients.md privacy: the key of erased content is destroyed",
		File: "orchestrator/call_content.go", Package: "./orchestrator", Tests: "TestTheContentOfACallWithoutAKeyLeavesTheDisk",
		Old: `		c.doom(t.content.Key)
	}
}`,
		New: `		if false {
			c.doom(t.content.Key)
		}
	}
}`,
	},
	{
		Name: "orchestrator/call/content-type", Control: "clients.md headers: anything else becomes octet-stream",
		File: "orchestrator/attempt_call.go", Package: "./orchestrator/httpapi", Tests: "TestANodeSetsNoOtherHeader",
		Old: "\thead.ContentType = contentType(head.ContentType)",
		New: `	if false {
		head.ContentType = contentType(head.ContentType)
	}`,
	},
	{
		Name: "orchestrator/call/header-of-the-answer", Control: "clients.md headers of the answer: a list, and nothing else",
		File: "orchestrator/attempt_call.go", Package: "./orchestrator/httpapi", Tests: "TestANodeSetsNoOtherHeader",
		Old: "\t\tif !nodeapi.TravelsWithAnswer(name) || len(value) > maxMessage || printable(value, maxMessage) != value {",
		New: "\t\tif false && (!nodeapi.TravelsWithAnswer(name) || len(value) > maxMessage || printable(value, maxMessage) != value) {",
	},
	{
		Name: "orchestrator/call/retry-after-of-the-answer", Control: "clients.md headers: Retry-After is bounded",
		File: "orchestrator/attempt_call.go", Package: "./orchestrator/httpapi", Tests: "TestANodeTellsNoClientToWaitForEver",
		Old: `		if strings.EqualFold(name, "Retry-After") {`,
		New: `		if false && (strings.EqualFold(name, "Retry-After")) {`,
	},
	{
		Name: "orchestrator/call/answer-not-utf8", Control: "a node's answer is text",
		File: "orchestrator/attempt_call.go", Package: "./orchestrator/httpapi", Tests: "TestAnAnswerThatIsNoneIsANodesFault",
		Old: "\tif !utf8.Valid(f.Payload) {",
		New: "\tif false && (!utf8.Valid(f.Payload)) {",
	},
	{
		Name: "orchestrator/call/status-of-the-answer", Control: "clients.md answer: no other status than an engine's",
		File: "orchestrator/attempt_call.go", Package: "./orchestrator/httpapi", Tests: "TestAnAnswerThatIsNoneIsANodesFault",
		Old: "\tif len(head.Header) > maxCallHeaders || head.Status < 200 || head.Status > 599 {",
		New: "\tif false && (len(head.Header) > maxCallHeaders || head.Status < 200 || head.Status > 599) {",
	},
	{
		Name: "orchestrator/call/background", Control: "clients.md responses: background is 400",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: `	if s, ok := find("background"); ok && s.Kind != jsonbody.False && s.Kind != jsonbody.Null {`,
		New: `	if s, ok := find("background"); false && (ok && s.Kind != jsonbody.False && s.Kind != jsonbody.Null) {`,
	},
	{
		Name: "orchestrator/call/conversation", Control: "clients.md responses: conversation is 400",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: `	if s, ok := find("conversation"); ok && s.Kind != jsonbody.Null {`,
		New: `	if s, ok := find("conversation"); false && (ok && s.Kind != jsonbody.Null) {`,
	},
	{
		Name: "orchestrator/call/resumes-a-known-one", Control: "clients.md: an unknown key goes on with nothing",
		File: "orchestrator/call_submit.go", Package: "./orchestrator/httpapi", Tests: "TestNothingIsRunToGoOnWithAnUnknownCall",
		Old: "\tif r.Resumes {",
		New: "\tif false && (r.Resumes) {",
	},
	{
		Name: "orchestrator/call/models-of-the-caller", Control: "auth.md §10: the models of a token",
		File: "orchestrator/task_admit.go", Package: "./orchestrator/httpapi", Tests: "TestTheModelsOfACallerAreEnforced",
		Old: `	if r.ModelRef != "" && !o.catalog.allows(who.Models, r.ModelRef) {`,
		New: `	if false && (r.ModelRef != "" && !o.catalog.allows(who.Models, r.ModelRef)) {`,
	},
}
