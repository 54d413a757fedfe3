package main

// Tokens, keyrings, secrets and origins as package authmin reads them: auth.md §1, §2, §10
// and §11.
var edgeToken = []Mutant{
	{
		Name: "token/two-lines", Control: "auth.md §1: exactly one Authorization line",
		File:    "authmin/bearer.go",
		Old:     "if len(lines) > 1 {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestParseBearer",
	},
	{
		Name: "token/alphabet", Control: "auth.md §1: the alphabet of a token",
		File:    "authmin/bearer.go",
		Old:     "len(credential) > MaxTokenLength || !isToken68(credential)",
		New:     "len(credential) > MaxTokenLength",
		Package: "./authmin", Tests: "TestParseBearer",
	},
	{
		Name: "token/longest", Control: "auth.md §1: a token has at most 8 KiB",
		File:    "authmin/bearer.go",
		Old:     "len(credential) > MaxTokenLength || !isToken68(credential)",
		New:     "!isToken68(credential)",
		Package: "./authmin", Tests: "TestParseBearer",
	},
	{
		Name: "token/space", Control: "auth.md §1: the scheme ends in a space",
		File:    "authmin/bearer.go",
		Old:     "if start == 0 ||",
		New:     "if false ||",
		Package: "./authmin", Tests: "TestParseBearer",
	},
	{
		Name: "token/two-fields", Control: "auth.md §11: two different tokens in the two fields are refused",
		File:    "authmin/apikey.go",
		Old:     "also == PresentedToken && bearer.Equal(key):",
		New:     "also == PresentedToken:",
		Package: "./authmin", Tests: "TestParseCredential|TestDecideByAPIKey",
	},
	{
		Name: "token/api-key-lines", Control: "auth.md §11: one X-Api-Key line",
		File:    "authmin/apikey.go",
		Old:     "case len(lines) > 1 || len(lines[0])",
		New:     "case len(lines[0])",
		Package: "./authmin", Tests: "TestParseAPIKey",
	},
	{
		Name: "token/api-key-off", Control: "auth.md §11: X-Api-Key is read only where credentials names it",
		File: "authmin/apikey.go",
		Old: `	if !apiKey {
		return bearer, presented
	}
`,
		New: `	_ = apiKey
`,
		Package: "./authmin", Tests: "TestParseCredential",
	},
	{
		Name: "token/revoked", Control: "auth.md §2: a revoked token is refused",
		File: "authmin/token.go",
		Old: `	case t.Revoked:
		return VerdictRevoked
`,
		New:     "",
		Package: "./authmin", Tests: "TestLookupDependsOnTheTime|TestRevokedWinsOverEveryTime",
	},
	{
		Name: "token/expired", Control: "auth.md §2: an expired token is refused from its second on",
		File:    "authmin/token.go",
		Old:     "second >= t.Expires:",
		New:     "second > t.Expires:",
		Package: "./authmin", Tests: "TestLookupDependsOnTheTime",
	},
	{
		Name: "token/not-yet", Control: "auth.md §2: a token is refused before its not-before",
		File:    "authmin/token.go",
		Old:     "case t.NotBefore != 0 && second < t.NotBefore:",
		New:     "case false:",
		Package: "./authmin", Tests: "TestLookupDependsOnTheTime",
	},
	{
		Name: "keyring/shared-name", Control: "auth.md §2: two lasting tokens of one name are refused",
		File:    "authmin/keyring.go",
		Old:     "if lasting[t.Name] {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestNewKeyringRefuses",
	},
	{
		Name: "keyring/doubles", Control: "auth.md §1: one token under two names is refused",
		File:    "authmin/keyring.go",
		Old:     "if bucket[i].digest.Equal(bucket[j].digest) {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestNewKeyringRefuses",
	},
	{
		Name: "keyring/empty-token", Control: "a token that is empty is refused",
		File:    "authmin/keyring.go",
		Old:     "d.Equal(Digest{}) || d.Equal(nothing)",
		New:     "d.Equal(Digest{}) && d.Equal(nothing)",
		Package: "./authmin", Tests: "TestNewKeyringRefuses",
	},
	{
		Name: "keyring/bound", Control: "a keyring has at most 1,048,576 tokens",
		File:    "authmin/keyring.go",
		Old:     "if len(tokens) > MaxTokens {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestNewKeyringIsBounded",
	},
	{
		Name: "keyring/zero-value", Control: "auth.md §1: the zero value refuses everybody",
		File: "authmin/keyring.go",
		Old: `	if k.Len() == 0 {
		return nil, VerdictUnknown
	}
`,
		New: `	if k.Len() == 0 {
		return &Token{Name: NameDefault, Scopes: allScopes}, VerdictValid
	}
`,
		Package: "./authmin", Tests: "TestEmptyKeyringsRefuseEveryRequest",
	},
	{
		Name: "keyring/byte-order-mark", Control: "a byte order mark is refused",
		File:    "authmin/keyringfile.go",
		Old:     `if bytes.HasPrefix(content, []byte("\ufeff")) {`,
		New:     "if false {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesFiles",
	},
	{
		Name: "keyring/end-line", Control: "auth.md §2: a file that was cut is no keyring",
		File:    "authmin/keyringfile.go",
		Old:     "if !p.ended {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestCutKeyringIsNoKeyring|TestParseKeyringRefusesFiles",
	},
	{
		Name: "keyring/end-count", Control: "auth.md §2: the end line has the number of tokens",
		File:    "authmin/keyringfile.go",
		Old:     "if count != strconv.Itoa(len(p.tokens)) {",
		New:     "if false && count != strconv.Itoa(len(p.tokens)) {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesFiles|TestCutKeyringIsNoKeyring",
	},
	{
		Name: "keyring/after-end", Control: "text after the end line is refused",
		File:    "authmin/keyringfile.go",
		Old:     "if p.ended {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesFiles",
	},
	{
		Name: "keyring/line-bound", Control: "auth.md §2: the length of lines is bounded",
		File:    "authmin/keyringfile.go",
		Old:     "if len(raw) > maxKeyringLine {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesLines|TestParseKeyringRefusesFiles",
	},
	{
		Name: "keyring/owner", Control: "a keyring of another user is refused",
		File:    "authmin/fileowner.go",
		Old:     "if owner == 0 || int64(owner) == int64(process) {",
		New:     "if owner >= 0 || int64(owner) == int64(process) {",
		Package: "./authmin", Tests: "TestAKeyringOfAnotherUserIsRefused|TestTheOwnerOfTheOpenedFileIsJudged",
	},
	{
		Name: "keyring/field-twice", Control: "an attribute that is given twice is refused",
		File:    "authmin/keyringfile.go",
		Old:     `if strings.HasPrefix(earlier, key+"=") {`,
		New:     "if false && earlier != key {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesLines",
	},
	{
		Name: "keyring/unknown-state", Control: "a state other than active and revoked is refused",
		File:    "authmin/keyringfile.go",
		Old:     `if !t.Revoked && value != "active" {`,
		New:     "if false {",
		Package: "./authmin", Tests: "TestParseKeyringRefusesLines",
	},
	{
		Name: "keyring/newer-format", Control: "a keyring of a newer format is refused",
		File:    "authmin/keyringformat.go",
		Old:     `case number == "2":`,
		New:     `case number >= "2":`,
		Package: "./authmin", Tests: "TestParseKeyringRefusesFiles|TestParseKeyringRefusesLines|TestKeyringFormat2HasModels",
	},
	{
		Name: "keyring/models-of-format-1", Control: "auth.md §10: models need format 2",
		File: "authmin/keyringformat.go",
		Old: `if p.format < 2 {
		return errors.New("models needs`,
		New: `if p.format < 0 {
		return errors.New("models needs`,
		Package: "./authmin", Tests: "TestKeyringFormat2HasModels",
	},
	{
		Name: "keyring/budget-of-format-1", Control: "auth.md §12: budgets need format 2",
		File: "authmin/keyringformat.go",
		Old: `if p.format < 2 {
		return errors.New("budget needs`,
		New: `if p.format < 0 {
		return errors.New("budget needs`,
		Package: "./authmin", Tests: "TestKeyringFormat2HasBudgets",
	},
	{
		Name: "secret/both-sources", Control: "auth.md §2: a variable and its _FILE are an error together",
		File: "authmin/source.go",
		Old: `	case inline && inFile:
`,
		New: `	case false:
`,
		Package: "./authmin", Tests: "TestSecretFromEnv",
	},
	{
		Name: "secret/relative-path", Control: "a secret's path is absolute",
		File: "authmin/source.go",
		Old: `if !filepath.IsAbs(path) {
		// Not`,
		New: `if false && !filepath.IsAbs(path) {
		// Not`,
		Package: "./authmin", Tests: "TestSecretFromEnv",
	},
	{
		Name: "secret/mode", Control: "a secret that others can write is refused",
		File:    "authmin/source.go",
		Old:     "if mode := info.Mode().Perm(); mode&forbidden != 0 {",
		New:     "if mode := info.Mode().Perm(); mode&forbidden == 0o777 {",
		Package: "./authmin", Tests: "TestFileModes",
	},
	{
		Name: "secret/regular-file", Control: "auth.md §2: a FIFO, directory or device is refused without hanging",
		File:    "authmin/source.go",
		Old:     "if !info.Mode().IsRegular() {",
		New:     "if info.IsDir() {",
		Package: "./authmin", Tests: "TestSpecialFilesAreRefusedWithoutHanging",
	},
	{
		Name: "secret/no-hang", Control: "auth.md §2: a FIFO is refused without hanging",
		File:    "authmin/source.go",
		Old:     "os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC",
		New:     "os.O_RDONLY|syscall.O_CLOEXEC",
		Package: "./authmin", Tests: "TestSpecialFilesAreRefusedWithoutHanging",
	},
	{
		Name: "secret/size", Control: "a secret's size is bounded",
		File: "authmin/source.go",
		Old: `	if info.Size() > limit { // not read first: that would take twice the limit in memory
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1)) // it may grow
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {`,
		New: `	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if false {`,
		Package: "./authmin", Tests: "TestLargeFilesAreRefused",
	},
	{
		Name: "secret/placeholder", Control: "auth.md §1: an unresolved placeholder is refused",
		File:    "authmin/strength.go",
		Old:     `case strings.ContainsAny(text, "{}$<>"):`,
		New:     "case false:",
		Package: "./authmin", Tests: "TestCheckStrength",
	},
	{
		Name: "secret/length", Control: "auth.md §1: a token has at least 32 characters",
		File:    "authmin/strength.go",
		Old:     "case len(bare) < MinTokenLength:",
		New:     "case len(bare) < MinTokenLength-1:",
		Package: "./authmin", Tests: "TestCheckStrength",
	},
	{
		Name: "secret/padding", Control: "padding is no strength",
		File:    "authmin/strength.go",
		Old:     `bare := strings.TrimRight(text, "=")`,
		New:     "bare := text",
		Package: "./authmin", Tests: "TestCheckStrength",
	},
	{
		Name: "secret/one-character", Control: "a token that repeats one character is refused",
		File:    "authmin/strength.go",
		Old:     "case strings.Count(bare, bare[:1]) == len(bare):",
		New:     "case false:",
		Package: "./authmin", Tests: "TestCheckStrength",
	},
	{
		Name: "cors/star", Control: "auth.md §11: never *",
		File: "authmin/origin.go",
		Old: `	case "*":
		return`,
		New: `	case "**":
		return`,
		Package: "./authmin", Tests: "TestCheckOrigin",
	},
	{
		Name: "cors/null", Control: "the origin null is refused",
		File: "authmin/origin.go",
		Old: `	case "null":
		return`,
		New: `	case "nul":
		return`,
		Package: "./authmin", Tests: "TestCheckOrigin",
	},
	{
		Name: "cors/plain-http", Control: "an origin over plain HTTP is one of this machine",
		File:    "authmin/origin.go",
		Old:     `case scheme == "http" && host != "localhost" && (err != nil || !IsLoopbackAddr(addr)):`,
		New:     "case false:",
		Package: "./authmin", Tests: "TestCheckOrigin",
	},
	{
		Name: "cors/upper-case", Control: "an origin is compared byte for byte, so it is written in lower case",
		File:    "authmin/origin.go",
		Old:     "if strings.ToLower(authority) != authority {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestCheckOrigin",
	},
	{
		Name: "cors/ambiguous-preflight", Control: "auth.md §11: a preflight of an ambiguous path is 400",
		File: "authmin/origin.go",
		Old: `	if err != nil {
		d.refuse(ReasonPath, &ProblemBadRequest)
		return d
	}
	d.Allow`,
		New: `	_ = err
	d.Allow`,
		Package: "./authmin", Tests: "TestDecidePreflight",
	},
}
