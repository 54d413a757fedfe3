package main

// What an engine may answer, and what becomes of it: clients.md, the answer.

var poolmanagerAdapter = []Mutant{
	{
		Name: "adapter/batch/answer-missing", Control: "api.md workload: each input has one answer",
		File: "poolmanager/adapter/batch.go", Package: "./poolmanager/adapter", Tests: "TestABatchWithMissingOrRepeatedAnswersFails",
		Old: "\t\tif !answered {",
		New: "\t\tif false && (!answered) {",
	},
	{
		Name: "adapter/batch/answer-twice", Control: "api.md workload: each input has one answer",
		File: "poolmanager/adapter/batch.go", Package: "./poolmanager/adapter", Tests: "TestABatchWithMissingOrRepeatedAnswersFails",
		Old: "\t\tif e.Index < 0 || e.Index >= len(seen) || seen[e.Index] {",
		New: "\t\tif e.Index < 0 || e.Index >= len(seen) || false && (seen[e.Index]) {",
	},
	{
		Name: "adapter/call/content-type", Control: "clients.md headers: anything else becomes octet-stream",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestAContentTypeIsOneOfFour",
		Old: "\tcase !isJSON(told) && kind != mediaEvents && kind != mediaLines && kind != mediaText:",
		New: "\tcase false && (!isJSON(told) && kind != mediaEvents && kind != mediaLines && kind != mediaText):",
	},
	{
		Name: "adapter/task/unknown-finish", Control: "api.md dispatch: an unknown finish_reason is a failure",
		File: "poolmanager/adapter/finish.go", Package: "./poolmanager/adapter", Tests: "TestAFinishReasonThatIsNotKnownToBeSuccessIsAFailure",
		Old: "\tif known, ok := finishes[word]; ok {",
		New: "\tif known, ok := finishes[word]; ok || true {",
	},
	{
		Name: "adapter/call/answers-header-value", Control: "a header of an answer is bounded",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestAHeaderOfAnAnswerIsBounded",
		Old: "\t\tif len(value) > maxHeaderValue || authmin.CleanText(value, maxHeaderValue) != value {",
		New: "\t\tif false && (len(value) > maxHeaderValue || authmin.CleanText(value, maxHeaderValue) != value) {",
	},
	{
		Name: "adapter/call/key-in-a-header", Control: "clients.md: the engine's key is in no answer",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestAHeaderOfAnAnswerIsBounded",
		Old: "\t\tout[name] = WithoutKey(t.Key, value)",
		New: `		if out[name] = value; false {
			out[name] = WithoutKey(t.Key, value)
		}`,
	},
	{
		Name: "adapter/call/answers-header", Control: "clients.md headers of the answer: a list, and nothing else",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestARefusalKeepsItsClass",
		Old: "len(out) >= maxAnswerHeaders || !nodeapi.TravelsWithAnswer(name) {",
		New: "len(out) >= maxAnswerHeaders || false && (!nodeapi.TravelsWithAnswer(name)) {",
	},
	{
		Name: "adapter/call/busy-is-later", Control: "clients.md errors: 429 and 503 mean later",
		File: "poolmanager/adapter/call_error.go", Package: "./poolmanager/adapter", Tests: "TestARefusalKeepsItsClass",
		Old: `	case later(status, h):
		return ClassBusy`,
		New: `	case false && (later(status, h)):
		return ClassBusy`,
	},
	{
		Name: "adapter/call/engines-3xx", Control: "clients.md errors: its 1xx and 3xx are 502 ENGINE_REFUSED",
		File: "poolmanager/adapter/call_error.go", Package: "./poolmanager/adapter", Tests: "TestARefusalKeepsItsClass",
		Old: "\tif status < 400 {",
		New: "\tif false && (status < 400) {",
	},
	{
		Name: "adapter/call/engines-401", Control: "clients.md errors: its 401, 403, 407 are 502 ENGINE_REFUSED",
		File: "poolmanager/adapter/call_error.go", Package: "./poolmanager/adapter", Tests: "TestARefusalKeepsItsClass",
		Old: `	switch status {
	case http.StatusUnauthorized,`,
		New: `	if true {
		status = http.StatusNotFound
	}
	switch status {
	case http.StatusUnauthorized,`,
	},
	{
		Name: "adapter/call/key-in-a-refusal", Control: "clients.md errors: redacted",
		File: "poolmanager/adapter/call_error.go", Package: "./poolmanager/adapter", Tests: "TestARefusalKeepsItsClass",
		Old: `	clean := strings.ToValidUTF8(Redact(t.Key, string(text)), "?")`,
		New: `	clean := strings.ToValidUTF8(string(text), "?")
	if false {
		clean = strings.ToValidUTF8(Redact(t.Key, string(text)), "?")
	}`,
	},
	{
		Name: "adapter/call/router-in-front", Control: "clients.md errors: SDKs show no page of a proxy",
		File: "poolmanager/adapter/call_error.go", Package: "./poolmanager/adapter", Tests: "TestARefusalThatIsNoErrorOfTheAPIHasNoBody",
		Old: "\tif status < 500 && !isError(text, cut) {",
		New: "\tif false && (status < 500 && !isError(text, cut)) {",
	},
	{
		Name: "adapter/call/retry-after", Control: "clients.md headers: Retry-After is bounded",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestARetryAfterIsBounded",
		Old: `		if name == "Retry-After" {`,
		New: `		if false && (name == "Retry-After") {`,
	},
	{
		Name: "adapter/call/done-without-an-answer", Control: "clients.md errors: never a proper end",
		File: "poolmanager/adapter/call_event.go", Package: "./poolmanager/adapter", Tests: "TestAStreamWithoutItsProperEndIsAnError",
		Old: "\tif !r.ended && r.pieces == 0 {",
		New: "\tif false && (!r.ended && r.pieces == 0) {",
	},
	{
		Name: "adapter/call/ends-in-the-middle", Control: "clients.md errors: a stream without its end ends with the error event",
		File: "poolmanager/adapter/call_stream.go", Package: "./poolmanager/adapter", Tests: "TestAStreamWithoutItsProperEndIsAnError",
		Old: `	case errors.Is(err, io.EOF):
		return r.reset(errNoEnd)`,
		New: `	case errors.Is(err, io.EOF) && true:
		return nil
	case errors.Is(err, io.EOF):
		return r.reset(errNoEnd)`,
	},
	{
		Name: "adapter/call/no-proper-end", Control: "clients.md errors: proper ends",
		File: "poolmanager/adapter/call_stream.go", Package: "./poolmanager/adapter", Tests: "TestAStreamWithoutItsProperEndIsAnError",
		Old: `	case errors.Is(err, io.EOF) && r.begun && r.ended:
		return r.reset(errNoDone)`,
		New: `	case errors.Is(err, io.EOF) && r.begun && r.ended && true:
		return nil
	case errors.Is(err, io.EOF) && r.begun && r.ended:
		return r.reset(errNoDone)`,
	},
	{
		Name: "adapter/call/not-json", Control: "clients.md errors: data that is not JSON ends with the error event",
		File: "poolmanager/adapter/call_event.go", Package: "./poolmanager/adapter", Tests: "TestAStreamWithoutItsProperEndIsAnError",
		Old: "\tcase !object || !utf8.Valid(name):",
		New: "\tcase false && (!object || !utf8.Valid(name)):",
	},
	{
		Name: "adapter/call/finish-reason", Control: "clients.md errors: an unknown finish_reason passes, and the record says failed",
		File: "poolmanager/adapter/call_judge.go", Package: "./poolmanager/adapter", Tests: "TestAStreamedAnswerPassesEventByEvent",
		Old: `	if !successes[word] && r.failed == "" {`,
		New: `	if false && (!successes[word] && r.failed == "") {`,
	},
	{
		Name: "adapter/call/model-of-the-client", Control: "clients.md answer: the model is the name that the client asked for",
		File: "poolmanager/adapter/call_edit.go", Package: "./poolmanager/adapter", Tests: "TestAStreamedAnswerPassesEventByEvent",
		Old: "\t\t\tif m, ok := r.scan.Member(path); ok && m.Kind == jsonbody.String {",
		New: "\t\t\tif m, ok := r.scan.Member(path); false && (ok && m.Kind == jsonbody.String) {",
	},
	{
		Name: "adapter/call/usage-of-a-last-chunk", Control: "clients.md request: where usage rides on a last chunk, only that member goes",
		File: "poolmanager/adapter/call_edit.go", Package: "./poolmanager/adapter", Tests: "TestAStreamedAnswerPassesEventByEvent",
		Old: `	if m, ok := r.scan.Member("usage"); ok && r.call.HideUsage {`,
		New: `	if m, ok := r.scan.Member("usage"); false && (ok && r.call.HideUsage) {`,
	},
	{
		Name: "adapter/call/usage-withheld", Control: "clients.md request: usage is withheld from a client that did not ask",
		File: "poolmanager/adapter/call_judge.go", Package: "./poolmanager/adapter", Tests: "TestAStreamedAnswerPassesEventByEvent",
		Old: "\tv.drop = r.call.HideUsage && figures && len(choices) == 0",
		New: "\tv.drop = false && (r.call.HideUsage && figures && len(choices) == 0)",
	},
	{
		Name: "adapter/call/response-that-is-not-stored", Control: "clients.md responses: one that is not kept has no id",
		File: "poolmanager/adapter/call_judge.go", Package: "./poolmanager/adapter", Tests: "TestAWholeAnswerPassesWithItsFigures",
		Old: `	if string(response["store"]) == "false" {`,
		New: `	if false && (string(response["store"]) == "false") {`,
	},
	{
		Name: "adapter/call/answer-too-large", Control: "clients.md: a whole answer over the limit ends the call",
		File: "poolmanager/adapter/call_large.go", Package: "./poolmanager/adapter", Tests: "TestAWholeAnswerThatIsNoneIsAnError",
		Old: "\tif l.sent+int64(len(l.held)) > int64(l.call.MaxAnswer) {",
		New: "\tif false && (l.sent+int64(len(l.held)) > int64(l.call.MaxAnswer)) {",
	},
	{
		Name: "adapter/call/empty-answer", Control: "an empty answer is none",
		File: "poolmanager/adapter/call_whole.go", Package: "./poolmanager/adapter", Tests: "TestAWholeAnswerThatIsNoneIsAnError",
		Old: "\tif r.call.generates() && len(bytes.TrimSpace(text)) == 0 {",
		New: "\tif false && (r.call.generates() && len(bytes.TrimSpace(text)) == 0) {",
	},
	{
		Name: "adapter/call/page-in-place-of-an-answer", Control: "a page of a proxy is no answer",
		File: "poolmanager/adapter/call_whole.go", Package: "./poolmanager/adapter", Tests: "TestAWholeAnswerThatIsNoneIsAnError",
		Old: "\tif isJSON(r.kind) || isObject(text) || r.call.generates() || isPage(r.kind) {",
		New: "\tif isJSON(r.kind) || isObject(text) || r.call.generates() || false && (isPage(r.kind)) {",
	},
	{
		Name: "adapter/task/bare-done", Control: "api.md dispatch: [DONE] without an answer",
		File: "poolmanager/adapter/reader.go", Package: "./poolmanager/adapter", Tests: "TestAnAnswerThatIsNoEventStreamFailsWithItsTextAndContentType",
		Old: "\tif r.ended || !r.llama && (r.pieces > 0 || r.moved) {",
		New: "\tif r.ended || true || !r.llama && (r.pieces > 0 || r.moved) {",
	},
	{
		Name: "adapter/task/unknown-event", Control: "api.md dispatch: what is no event ends the task",
		File: "poolmanager/adapter/reader.go", Package: "./poolmanager/adapter", Tests: "TestAnAnswerThatIsNoEventStreamFailsWithItsTextAndContentType",
		Old: "\tif !r.known(c) {",
		New: "\tif false && (!r.known(c)) {",
	},
	{
		Name: "adapter/call/accept-encoding", Control: "clients.md request: Accept-Encoding: identity goes to the engine",
		File: "poolmanager/adapter/call.go", Package: "./poolmanager/adapter", Tests: "TestAnEncodedAnswerIsDecoded",
		Old: `	request.Header.Set("Accept-Encoding", "identity")`,
		New: `	if false {
		request.Header.Set("Accept-Encoding", "identity")
	}`,
	},
	{
		Name: "adapter/call/encoded-answer", Control: "clients.md answer: an encoded answer is decoded",
		File: "poolmanager/adapter/call_header.go", Package: "./poolmanager/adapter", Tests: "TestAnEncodedAnswerIsDecoded",
		Old: `	case "gzip", "x-gzip":
		return gzip.NewReader(response.Body)`,
		New: `	case "gzip", "x-gzip":
		if true {
			return response.Body, nil
		}
		return gzip.NewReader(response.Body)`,
	},
	{
		Name: "adapter/task/stall", Control: "api.md limits: one that stops flowing",
		File: "poolmanager/adapter/progress.go", Package: "./poolmanager/adapter", Tests: "TestAnEngineThatMakesNoProgressIsHungUpOnInTime",
		Old: "\tcase p.begun:",
		New: "\tcase false && (p.begun):",
	},
	{
		Name: "adapter/call/error-event", Control: "clients.md errors: an engine's error in a stream",
		File: "poolmanager/adapter/call_judge.go", Package: "./poolmanager/adapter", Tests: "TestAnErrorInAnAnswerKeepsItsStatus",
		Old: `	if name == "error" || present(event["error"]) || word(event["object"]) == "error" {`,
		New: `	if false && (name == "error" || present(event["error"]) || word(event["object"]) == "error") {`,
	},
	{
		Name: "adapter/call/error-in-a-whole-answer", Control: "clients.md errors: an error with a status of success",
		File: "poolmanager/adapter/call_whole.go", Package: "./poolmanager/adapter", Tests: "TestAnErrorInAnAnswerKeepsItsStatus",
		Old: `	if present(answer["error"]) || word(answer["object"]) == "error" || word(answer["type"]) == "error" {`,
		New: `	if false && (present(answer["error"]) || word(answer["object"]) == "error" || word(answer["type"]) == "error") {`,
	},
	{
		Name: "adapter/call/named-401", Control: "clients.md errors: an engine's 401 named in a stream is 502",
		File: "poolmanager/adapter/call_said.go", Package: "./poolmanager/adapter", Tests: "TestAnErrorInAnAnswerKeepsItsStatus",
		Old: "\tstatus := namedStatus(document)",
		New: `	status := namedStatus(document)
	if true {
		status = http.StatusBadRequest
	}`,
	},
	{
		Name: "adapter/call/event-too-large", Control: "clients.md: an event over the limit ends the call",
		File: "poolmanager/adapter/call_lines.go", Package: "./poolmanager/adapter", Tests: "TestAnEventOverTheLimitEndsTheCall",
		Old: "\t\tif len(l.long)+len(part) > l.most {",
		New: "\t\tif false && (len(l.long)+len(part) > l.most) {",
	},
	{
		Name: "adapter/call/response-id", Control: "clients.md responses: an id is part of a path",
		File: "poolmanager/adapter/call_judge.go", Package: "./poolmanager/adapter", Tests: "TestAnIDThatIsNoPathSegmentIsNone",
		Old: `	if id := word(response["id"]); ValidObject(id) {`,
		New: `	if id := word(response["id"]); ValidObject(id) || true {`,
	},
}
