package main

// What a request may say to an engine, and whose files and processes are taken: clients.md and api.md.

var poolmanagerCalls = []Mutant{
	{
		Name: "poolmanager/handoff/loopback", Control: "api.md handoff files: the url must be loopback",
		File: "poolmanager/handoff_file.go", Package: "./poolmanager", Tests: "TestABadHandoffFileIsIsolatedAndNamedOnce",
		Old: `	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || !authmin.IsLoopbackHost(u.Hostname()) {`,
		New: `	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || false && (!authmin.IsLoopbackHost(u.Hostname())) {`,
	},
	{
		Name: "poolmanager/handoff/unknown-key", Control: "api.md handoff files: a bad file is isolated",
		File: "poolmanager/handoff_file.go", Package: "./poolmanager", Tests: "TestABadHandoffFileIsIsolatedAndNamedOnce",
		Old: "\t\tif !slices.Contains(handoffMust, key) && !slices.Contains(handoffMay, key) {",
		New: "\t\tif false && (!slices.Contains(handoffMust, key) && !slices.Contains(handoffMay, key)) {",
	},
	{
		Name: "poolmanager/call/body-too-slow", Control: "refusal: 408 BODY_TIMEOUT",
		File: "poolmanager/call_body.go", Package: "./poolmanager", Tests: "TestABodyThatDoesNotComeIsTold",
		Old: "\tcase errors.Is(err, os.ErrDeadlineExceeded):",
		New: "\tcase false && (errors.Is(err, os.ErrDeadlineExceeded)):",
	},
	{
		Name: "poolmanager/call/places-of-the-model", Control: "clients.md request: the places that are named are the model's",
		File: "poolmanager/call_body.go", Package: "./poolmanager", Tests: "TestACallThatCannotBeginIsRefusedByStatus",
		Old: `	if m, ok := b.scan.Member("model"); b.places.Model[1] > 0 && (!ok || m.Start != b.places.Model[0] || m.End != b.places.Model[1]) {`,
		New: `	if m, ok := b.scan.Member("model"); false && (b.places.Model[1] > 0 && (!ok || m.Start != b.places.Model[0] || m.End != b.places.Model[1])) {`,
	},
	{
		Name: "poolmanager/call/slot-before-the-end", Control: "api.md dispatch: the slot of a call is free before the caller reads the end",
		File: "poolmanager/api_call.go", Package: "./poolmanager", Tests: "TestACallsSlotIsFreeBeforeItsEndIsRead",
		Old: `	s.release()
	if refused := n.body.refused()`,
		New: "\tif refused := n.body.refused()",
	},
	{
		Name: "poolmanager/handoff/file-of-another-user", Control: "api.md handoff files: belong to this user",
		File: "poolmanager/ownfile/check.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\tcase !ok || int(stat.Uid) != os.Getuid():",
		New: "\tcase false && (!ok || int(stat.Uid) != os.Getuid()):",
	},
	{
		Name: "poolmanager/handoff/file-that-others-write", Control: "api.md handoff files: writable by this user alone",
		File: "poolmanager/ownfile/check.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\tcase info.Mode().Perm()&0o022 != 0:",
		New: "\tcase false && (info.Mode().Perm()&0o022 != 0):",
	},
	{
		Name: "poolmanager/handoff/parent-of-another-user", Control: "api.md handoff files: no other user can replace the directory",
		File: "poolmanager/ownfile/check.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\t\tcase !ok || int(stat.Uid) != os.Getuid() && stat.Uid != 0:",
		New: "\t\tcase false && (!ok || int(stat.Uid) != os.Getuid() && stat.Uid != 0):",
	},
	{
		Name: "poolmanager/handoff/parent-that-others-write", Control: "api.md handoff files: no other user can replace the directory",
		File: "poolmanager/ownfile/check.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\t\tcase info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:",
		New: "\t\tcase false && (info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0):",
	},
	{
		Name: "poolmanager/handoff/regular-file", Control: "api.md handoff files: belong to this user",
		File: "poolmanager/handoff_file.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\tcase !info.Mode().IsRegular():",
		New: "\tcase false && (!info.Mode().IsRegular()):",
	},
	{
		Name: "poolmanager/handoff/second-name", Control: "api.md handoff files: written by this user alone",
		File: "poolmanager/handoff_file.go", Package: "./poolmanager", Tests: "TestAHandoffFileThatOthersCouldHaveWrittenIsRefused",
		Old: "\tcase info.Sys().(*syscall.Stat_t).Nlink != 1:",
		New: "\tcase false && (info.Sys().(*syscall.Stat_t).Nlink != 1):",
	},
	{
		Name: "poolmanager/call/images-of-ollama", Control: "clients.md request: remote_media none",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `		if strings.Contains(text, ":") {`,
		New: `		if false && (strings.Contains(text, ":")) {`,
	},
	{
		Name: "poolmanager/call/limited-member", Control: "clients.md request: limits where they help (num_ctx ≤ N)",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: "\tif n, ok := m.Int(); !ok || n > r.most {",
		New: "\tif n, ok := m.Int(); false && (!ok || n > r.most) {",
	},
	{
		Name: "poolmanager/call/mcp-servers", Control: "clients.md request: what makes an engine fetch is refused",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `	if last == "url" && strings.EqualFold(path[0], "mcp_servers") { // Anthropic's server_url`,
		New: `	if false && (last == "url" && strings.EqualFold(path[0], "mcp_servers")) { // Anthropic's server_url`,
	},
	{
		Name: "poolmanager/call/refused-member", Control: "clients.md request: refuse_members",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `	if !r.limited {
		return`,
		New: `	if false && (!r.limited) {
		return`,
	},
	{
		Name: "poolmanager/call/remote-media", Control: "clients.md request: remote_media none",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `		if slices.Contains(mediaMembers, name) && (last == "url" || i == len(path)-1 && name != "source") {`,
		New: `		if false && (slices.Contains(mediaMembers, name) && (last == "url" || i == len(path)-1 && name != "source")) {`,
	},
	{
		Name: "poolmanager/call/server-url", Control: "clients.md request: a server_url is 400 MEMBER_NOT_ALLOWED",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `	if last == "server_url" {`,
		New: `	if false && (last == "server_url") {`,
	},
	{
		Name: "poolmanager/call/text-cut-by-a-zero", Control: "clients.md request: what an engine in C reads is refused too",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: `	text, _, _ = strings.Cut(text, "\x00") // where readers that are written in C end it`,
		New: `	if false {
		text, _, _ = strings.Cut(text, "\x00")
	}`,
	},
	{
		Name: "poolmanager/call/text-of-a-member", Control: "clients.md request: web search tools are refused",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestARequestIsRefusedForWhatItsTemplateRefuses",
		Old: "\tcase text == prefix, begins && strings.HasPrefix(text, prefix):",
		New: "\tcase false && (text == prefix), false && (begins && strings.HasPrefix(text, prefix)):",
	},
	{
		Name: "poolmanager/call/model-name", Control: "clients.md request: the value of model becomes the engine's own name",
		File: "poolmanager/call_edit.go", Package: "./poolmanager", Tests: "TestAStreamedChatPassesAsItIsButForTheModelAndUsage",
		Old: `	if p.Model[1] > 0 && model != "" {`,
		New: `	if false && (p.Model[1] > 0 && model != "") {`,
	},
	{
		Name: "poolmanager/call/member-refused-twice", Control: "refusal: refuse_members names a member twice",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestAnEngineThatKeepsNothingIsNotAskedToGoOn",
		Old: "\t\tif slices.ContainsFunc(all, func(other refusal) bool { return other.path == one.path && other.text == one.text }) {",
		New: "\t\tif false && (slices.ContainsFunc(all, func(other refusal) bool { return other.path == one.path && other.text == one.text })) {",
	},
	{
		Name: "poolmanager/call/previous-response", Control: "clients.md responses: an engine that keeps none is not asked to go on",
		File: "poolmanager/call_refuse.go", Package: "./poolmanager", Tests: "TestAnEngineThatKeepsNothingIsNotAskedToGoOn",
		Old: "\tif !t.remembers() {",
		New: "\tif false && (!t.remembers()) {",
	},
	{
		Name: "poolmanager/call/include-usage", Control: "clients.md request: stream_options.include_usage is turned on",
		File: "poolmanager/call_edit.go", Package: "./poolmanager", Tests: "TestOnlyTheNamedPlacesOfARequestChange",
		Old: "\tcase p.Usage[1] > 0:",
		New: "\tcase false && (p.Usage[1] > 0):",
	},
	{
		Name: "poolmanager/runtime/marked-engine", Control: "api.md supervision: what an earlier run left is ended",
		File: "poolmanager/runtime_dir.go", Package: "./poolmanager", Tests: "TestOrphansOfAKilledRunAreEndedAtTheStart",
		Old: `	if n := proc.EndMarked(d.id + "/"); n > 0 {`,
		New: `	n := 0
	if false {
		n = proc.EndMarked(d.id + "/")
	}
	if n > 0 {`,
	},
	{
		Name: "poolmanager/runtime/recorded-engine", Control: "api.md supervision: what an earlier run left is ended",
		File: "poolmanager/runtime_dir.go", Package: "./poolmanager", Tests: "TestOrphansOfAKilledRunAreEndedAtTheStart",
		Old: "\t\tif err == nil && json.Unmarshal(text, &r) == nil && r.Proc.Alive() {",
		New: "\t\tif false && (err == nil && json.Unmarshal(text, &r) == nil && r.Proc.Alive()) {",
	},
	{
		Name: "poolmanager/dispatch/slot-before-the-end", Control: "api.md dispatch: the slot is free before the caller reads the end",
		File: "poolmanager/api_dispatch.go", Package: "./poolmanager", Tests: "TestTheSlotIsFreeBeforeTheEndIsRead",
		Old: `	l.pool.recordOutcome(l, err)
	l.release()`,
		New: "\tl.pool.recordOutcome(l, err)",
	},
	{
		Name: "poolmanager/proc/start-time", Control: "api.md supervision: a reused pid is not signalled",
		File: "poolmanager/proc/proc_linux.go", Package: "./poolmanager/proc", Tests: "TestAnIdentityWithAnotherStartTimeIsLeftAlone",
		Old: "\treturn ok && i.StartTicks != 0 && ticks == i.StartTicks && state != 'Z' && state != 'X'",
		New: "\treturn ok && i.StartTicks != 0 && (true || (ticks == i.StartTicks)) && state != 'Z' && state != 'X'",
	},
	{
		Name: "poolmanager/proc/term-to-the-group", Control: "api.md supervision: TERM to the process group of a predecessor's engine, then KILL",
		File: "poolmanager/proc/proc_linux.go", Package: "./poolmanager/proc", Tests: "TestTheGroupOfAnEarlierRunIsAskedToEnd",
		Old: "\t_ = syscall.Kill(-i.PID, syscall.SIGTERM)",
		New: `	if false {
		_ = syscall.Kill(-i.PID, syscall.SIGTERM)
	} else {
		_ = syscall.Kill(i.PID, syscall.SIGTERM)
	}`,
	},
}
