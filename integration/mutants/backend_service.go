package main

// What a service of package authmin/backend keeps to: its answers, socket, configuration and log; and what packages usage and jsonbody read.

var backendService = []Mutant{
	{
		Name: "backend/health/redirect", Control: "a header of a health check follows no redirect",
		File: "authmin/backend/health.go", Package: "./authmin/backend", Tests: "TestAHeaderOfAHealthCheckFollowsNoRedirect",
		Old: ", CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}",
		New: "}",
	},
	{
		Name: "backend/api/not-utf8", Control: "api.md: JSON that does not parse is 400",
		File: "authmin/backend/json.go", Package: "./authmin/backend", Tests: "TestAPIAnswers",
		Old: "\tif !utf8.Valid(text) {",
		New: "\tif false && (!utf8.Valid(text)) {",
	},
	{
		Name: "backend/api/unclean-path", Control: "api.md: a path is no route in another spelling",
		File: "authmin/backend/api.go", Package: "./authmin/backend", Tests: "TestAPIAnswers",
		Old: `pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {`,
		New: `pattern == "" || false && (path.Clean(r.URL.Path) != r.URL.Path) {`,
	},
	{
		Name: "backend/api/panic-in-the-middle", Control: "an answer that has begun is broken off",
		File: "authmin/backend/answer.go", Package: "./authmin/backend", Tests: "TestAPanicAfterTheBeginningBreaksTheAnswerOff",
		Old: "\t\tif w.begun {",
		New: "\t\tif false && (w.begun) {",
	},
	{
		Name: "backend/listen/private-socket", Control: "a socket is private from its first moment",
		File: "authmin/backend/listen.go", Package: "./authmin/backend", Tests: "TestASocketIsPrivateFromItsFirstMoment",
		Old: "\t\treturn c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) })",
		New: "\t\treturn c.Control(func(uintptr) { _ = syscall.Fchmod })",
	},
	{
		Name: "backend/config/irregular-file", Control: "a configuration is a regular file of bounded size",
		File: "authmin/backend/config_file.go", Package: "./authmin/backend", Tests: "TestAnUnusableConfigurationFileIsRefused",
		Old: "\tif !info.Mode().IsRegular() || info.Size() > maxConfigBytes {",
		New: "\tif false && (!info.Mode().IsRegular() || info.Size() > maxConfigBytes) {",
	},
	{
		Name: "backend/api/answer-deadline", Control: "an answer has to be read",
		File: "authmin/backend/answer.go", Package: "./authmin/backend", Tests: "TestEveryAnswerHasToBeRead",
		Old: "\tif !w.begun {",
		New: "\tif false && (!w.begun) {",
	},
	{
		Name: "backend/listen/not-a-socket", Control: "a file that is no socket is not removed",
		File: "authmin/backend/listen.go", Package: "./authmin/backend", Tests: "TestListenReplacesOnlyAStaleSocket",
		Old: "\tcase info.Mode().Type() != fs.ModeSocket:",
		New: "\tcase false && (info.Mode().Type() != fs.ModeSocket):",
	},
	{
		Name: "backend/listen/socket-in-use", Control: "a socket that a process serves is not replaced",
		File: "authmin/backend/listen.go", Package: "./authmin/backend", Tests: "TestListenReplacesOnlyAStaleSocket",
		Old: `	case err == nil:
		_ = conn.Close()`,
		New: `	case false && (err == nil):
		_ = conn.Close()`,
	},
	{
		Name: "backend/api/wrong-fields", Control: "a bounded number of wrong fields is named",
		File: "authmin/backend/problem.go", Package: "./authmin/backend", Tests: "TestOfManyWrongFieldsSomeAreNamed",
		Old: "e.Status == http.StatusUnprocessableEntity && len(p.Errors) < maxFieldErrors {",
		New: "e.Status == http.StatusUnprocessableEntity && (true || (len(p.Errors) < maxFieldErrors)) {",
	},
	{
		Name: "backend/server/options", Control: "OPTIONS * is asked for a credential",
		File: "authmin/backend/server.go", Package: "./authmin/backend", Tests: "TestOptionsOfTheWholeServerReachTheHandler",
		Old: "\t\tDisableGeneralOptionsHandler: true, // net/http would answer `OPTIONS *` before any credential is asked for",
		New: "",
	},
	{
		Name: "backend/log/standard-log", Control: "messages of the standard log are the program's",
		File: "authmin/backend/config_program.go", Package: "./authmin/backend", Tests: "TestTheStandardLogIsTheProgramsWithoutWordsOfAPeer",
		Old: "\tdefer takeStandardLog(log)()",
		New: "",
	},
	{
		Name: "backend/log/words-of-a-peer", Control: "RedactPeer: the standard log has no words of a peer",
		File: "authmin/backend/standardlog.go", Package: "./authmin/backend", Tests: "TestTheStandardLogIsTheProgramsWithoutWordsOfAPeer",
		Old: "\tw.to.Warn(authmin.RedactPeer(strings.TrimSpace(string(line))))",
		New: `	_ = authmin.RedactPeer
	w.to.Warn(strings.TrimSpace(string(line)))`,
	},
	{
		Name: "backend/config/empty-variable", Control: "a variable that is set but empty is refused",
		File: "authmin/backend/config_file.go", Package: "./authmin/backend", Tests: "TestWhatIsWrongIsNamedWithItsPlace",
		Old: `		if text == "" {`,
		New: `		if false && (text == "") {`,
	},
	{
		Name: "backend/config/second-document", Control: "a second YAML document is refused",
		File: "authmin/backend/config_file.go", Package: "./authmin/backend", Tests: "TestWhatIsWrongIsNamedWithItsPlace",
		Old: "\tif err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {",
		New: "\tif err := decoder.Decode(new(yaml.Node)); false && (!errors.Is(err, io.EOF)) {",
	},
	{
		Name: "backend/trace/callers-limit", Control: "traces that a caller asks for are bounded",
		File: "authmin/backend/tracing/server.go", Package: "./authmin/backend/tracing", Tests: "TestCallersCannotRaiseTheTraceLimit",
		Old: "parent.IsValid() && !parent.IsSampled() || p.limit.Allow() {",
		New: "parent.IsValid() && !parent.IsSampled() || p.limit.Allow() || true {",
	},
	{
		Name: "backend/trace/callers-trace", Control: "a caller's trace is checked",
		File: "authmin/backend/tracing/server.go", Package: "./authmin/backend/tracing", Tests: "TestWhatACallerSaysOfItsTraceIsChecked",
		Old: "\tif len(traceparent) != 1 || len(traceparent[0]) > maxTraceparent {",
		New: "\tif false && (len(traceparent) != 1 || len(traceparent[0]) > maxTraceparent) {",
	},
	{
		Name: "jsonbody/fraction", Control: "1.5 is no whole number",
		File: "authmin/jsonbody/member.go", Package: "./authmin/jsonbody", Tests: "TestInt",
		Old: "\tcase exponent < 0:",
		New: "\tcase false && (exponent < 0):",
	},
	{
		Name: "jsonbody/kept-bytes", Control: "what is kept of a member is bounded",
		File: "authmin/jsonbody/member.go", Package: "./authmin/jsonbody", Tests: "TestText",
		Old: "\tif part := p[c.from:i]; len(c.raw)+len(part) > c.most {",
		New: "\tif part := p[c.from:i]; false && (len(c.raw)+len(part) > c.most) {",
	},
	{
		Name: "usage/hostile-figure", Control: "a figure over the limit is unreported",
		File: "authmin/usage/figures.go", Package: "./authmin/usage", Tests: "TestHostileFiguresAreUnreported",
		Old: "\tif c.bad || f.Input > MaxFigure || f.Cached > MaxFigure {",
		New: "\tif false && (c.bad || f.Input > MaxFigure || f.Cached > MaxFigure) {",
	},
	{
		Name: "testkit/admissions/longest-gap", Control: "gatewaytest.Admit: the longest time without an admission",
		File: "integration/gatewaytest/admissions.go", Package: "./integration/gatewaytest", Tests: "TestAdmissionsCountTheLongestTimeWithoutOne",
		Old: "max(a.gap, now.Sub(last)), now",
		New: "now.Sub(last), now",
	},
	{
		Name: "testkit/admissions/refused-submission", Control: "gatewaytest.Admit: a submission that fails is no admission",
		File: "integration/gatewaytest/admissions.go", Package: "./integration/gatewaytest", Tests: "TestAdmissionsCountTheLongestTimeWithoutOne",
		Old: "\t\t\tif id, err := submit(turn); err == nil {",
		New: "\t\t\tif id, _ := submit(turn); true {",
	},
}
