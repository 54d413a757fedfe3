package main

// What is refused of a native call: clients.md, the request.

var orchestratorCallRefusals = []Mutant{
	{
		Name: "orchestrator/refusal/body-over-the-limit", Control: "clients.md request: 413",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestABodyOverTheLimitLeavesNothing",
		Old: "\tif r.call.Bytes += int64(len(p)); r.call.Bytes > r.limit {",
		New: "\tif r.call.Bytes += int64(len(p)); false && (r.call.Bytes > r.limit) {",
	},
	{
		Name: "httpapi/refusal/body-of-a-call-that-is-cut", Control: "clients.md request: BODY_CUT",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestABodyThatEndsEarlyIsTheClientsError",
		Old: "\tcase err != nil:",
		New: "\tcase false && (err != nil):",
	},
	{
		Name: "httpapi/refusal/answer-to-a-canceled-call", Control: "clients.md errors",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestACallThatIsCanceledSaysSo",
		Old: "\tif ev.Type == orchestrator.EventCanceled {",
		New: "\tif false && (ev.Type == orchestrator.EventCanceled) {",
	},
	{
		Name: "orchestrator/refusal/rest-of-a-large-task", Control: "clients.md: 32 MiB in native.body alone",
		File: "orchestrator/call_receive.go", Package: "./orchestrator/httpapi", Tests: "TestALargeTaskThatIsRefusedLeavesNothing",
		Old: "\tif len(s.rest) > TaskBytes {",
		New: "\tif false && (len(s.rest) > TaskBytes) {",
	},
	{
		Name: "orchestrator/refusal/body-member-in-the-query-of-a-call", Control: "clients.md request: one reading",
		File: "orchestrator/call_query.go", Package: "./orchestrator/httpapi", Tests: "TestAQueryWithTwoReadingsIsRefused",
		Old: `		if !op.HasObject() || member != "stream" {`,
		New: `		if false && (!op.HasObject() || member != "stream") {`,
	},
	{
		Name: "orchestrator/refusal/credential-in-the-query-of-a-call", Control: "clients.md request: one reading",
		File: "orchestrator/call_query.go", Package: "./orchestrator/httpapi", Tests: "TestAQueryWithTwoReadingsIsRefused",
		Old: "\t\tif nodeapi.NamesCredential(name) { // proxies on the way may log it",
		New: "\t\tif false && (nodeapi.NamesCredential(name)) { // proxies on the way may log it",
	},
	{
		Name: "httpapi/refusal/call-with-content-encoding", Control: "clients.md request: CONTENT_ENCODING",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestARequestWithSeveralReadingsIsRefused",
		Old: `	case in.Encoding != "" && !strings.EqualFold(in.Encoding, "identity"): // RFC 9110 §8.4.1: in any case`,
		New: `	case false && (in.Encoding != "" && !strings.EqualFold(in.Encoding, "identity")): // RFC 9110 §8.4.1: in any case`,
	},
	{
		Name: "httpapi/refusal/content-encoding-sent-twice", Control: "clients.md request: CONTENT_ENCODING",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestARequestWithSeveralReadingsIsRefused",
		Old: `	if len(h["Content-Encoding"]) > 1 {`,
		New: `	if false && (len(h["Content-Encoding"]) > 1) {`,
	},
	{
		Name: "httpapi/refusal/header-of-a-call-sent-twice", Control: "clients.md request: one reading",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestARequestWithSeveralReadingsIsRefused",
		Old: "\t\tif len(h[name]) > 1 {",
		New: "\t\tif false && (len(h[name]) > 1) {",
	},
	{
		Name: "httpapi/refusal/last-event-id-without-a-key", Control: "clients.md answer: Last-Event-ID on a POST without a key is 400",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestARequestWithSeveralReadingsIsRefused",
		Old: `	case after > 0 && in.IdempotencyKey == "":`,
		New: `	case false && (after > 0 && in.IdempotencyKey == ""):`,
	},
	{
		Name: "orchestrator/refusal/stream-that-is-no-truth-value", Control: "clients.md request: one reading",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestARequestWithSeveralReadingsIsRefused",
		Old: "\t\tif !isBool && s.Kind != jsonbody.Null {",
		New: "\t\tif false && (!isBool && s.Kind != jsonbody.Null) {",
	},
	{
		Name: "orchestrator/refusal/response-of-a-pool-that-is-gone", Control: "clients.md responses: refused when that pool is gone",
		File: "orchestrator/call_response.go", Package: "./orchestrator/httpapi", Tests: "TestAResponseIsAskedForWhereItIs",
		Old: "\tif !o.nodes.holds(first.NodeID, first.PoolID, o.catalog.resolve(first.model())) {",
		New: "\tif false && (!o.nodes.holds(first.NodeID, first.PoolID, o.catalog.resolve(first.model()))) {",
	},
	{
		Name: "orchestrator/refusal/response-of-another-identity", Control: "clients.md responses: another identity's id is 404",
		File: "orchestrator/call_response.go", Package: "./orchestrator/httpapi", Tests: "TestAResponseIsAskedForWhereItIs",
		Old: `	if id == "" || len(made) == 0 {`,
		New: `	if false && (id == "" || len(made) == 0) {`,
	},
	{
		Name: "orchestrator/refusal/native-task-with-a-prompt", Control: "clients.md: native in place of prompt",
		File: "orchestrator/call_task.go", Package: "./orchestrator/httpapi", Tests: "TestATaskTakesANativeRequest",
		Old: `	case r.Prompt != "" || len(r.Messages) > 0 || len(r.Inputs) > 0 || r.Seed != nil || r.Temperature != nil || r.TopP != nil || len(r.Stop) > 0:`,
		New: `	case false && (r.Prompt != "" || len(r.Messages) > 0 || len(r.Inputs) > 0 || r.Seed != nil || r.Temperature != nil || r.TopP != nil || len(r.Stop) > 0):`,
	},
	{
		Name: "orchestrator/refusal/native-task-with-another-model-ref", Control: "clients.md: model_ref equal to the body's",
		File: "orchestrator/call_task.go", Package: "./orchestrator/httpapi", Tests: "TestATaskTakesANativeRequest",
		Old: `	if r.ModelRef != "" && r.ModelRef != model {`,
		New: `	if false && (r.ModelRef != "" && r.ModelRef != model) {`,
	},
	{
		Name: "orchestrator/refusal/placement-of-a-task-that-follows", Control: "clients.md responses: the same pool",
		File: "orchestrator/call_response.go", Package: "./orchestrator/httpapi", Tests: "TestATaskThatFollowsRunsWhereItsResponseIs",
		Old: `	if h := task.Placement; h != nil && (len(h.wants()) > 0 || len(h.AvoidPools) > 0 || h.RequireDeviceMask != "") {`,
		New: `	if h := task.Placement; false && (h != nil && (len(h.wants()) > 0 || len(h.AvoidPools) > 0 || h.RequireDeviceMask != "")) {`,
	},
	{
		Name: "httpapi/refusal/answer-that-is-no-longer-kept", Control: "api.md kept results: RESULT_EXPIRED",
		File: "orchestrator/httpapi/call_answer.go", Package: "./orchestrator/httpapi", Tests: "TestAnErasedAnswerIsNotGivenAgain",
		Old: "\tcase errors.Is(err, errGap):",
		New: "\tcase false && (errors.Is(err, errGap)):",
	},
	{
		Name: "httpapi/refusal/event-id-of-a-call", Control: "api.md events: INVALID_EVENT_ID",
		File: "orchestrator/httpapi/call.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: "\tcase err != nil || after == math.MaxUint64:",
		New: "\tcase false && (err != nil || after == math.MaxUint64):",
	},
	{
		Name: "httpapi/refusal/event-id-of-a-task", Control: "api.md events: INVALID_EVENT_ID",
		File: "orchestrator/httpapi/tasks.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: "\tif err != nil || after == math.MaxUint64 {",
		New: "\tif false && (err != nil || after == math.MaxUint64) {",
	},
	{
		Name: "orchestrator/refusal/headers-that-travel-with-a-call", Control: "clients.md request: HEADERS_TOO_LARGE",
		File: "orchestrator/call_submit.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: "\tif len(out) > maxCallHeaders || size > maxCallHeaderBytes {",
		New: "\tif false && (len(out) > maxCallHeaders || size > maxCallHeaderBytes) {",
	},
	{
		Name: "orchestrator/refusal/previous-response-id-that-is-no-text", Control: "clients.md responses",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: `		if c.Previous, ok = s.Text(); !ok || c.Previous == "" || len(c.Previous) > maxModelName {`,
		New: `		if c.Previous, ok = s.Text(); false && (!ok || c.Previous == "" || len(c.Previous) > maxModelName) {`,
	},
	{
		Name: "orchestrator/refusal/two-names-of-a-model-in-one-call", Control: "clients.md request: one reading",
		File: "orchestrator/call_read.go", Package: "./orchestrator/httpapi", Tests: "TestCallsThatCannotBeAreRefused",
		Old: `		if text, isText := other.Text(); !isText || text != model && text != "" { // Ollama's own client sends an empty one`,
		New: `		if text, isText := other.Text(); false && (!isText || text != model && text != "") { // Ollama's own client sends an empty one`,
	},
	{
		Name: "httpapi/refusal/open-streams", Control: "api.md: TOO_MANY_STREAMS",
		File: "orchestrator/httpapi/tasks.go", Package: "./orchestrator/httpapi", Tests: "TestStreamsOfOneCallerLeaveRoomForTheNext",
		Old: "\tif !a.streams.Take(identity) {",
		New: "\tif false && (!a.streams.Take(identity)) {",
	},
}
