package caddymodule

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// The kinds of sources that are watched for changes. They are labels of a metric.
const (
	sourceTokenFile   = "token_file"
	sourceToken       = "token"
	sourceEnvironment = "environment"
	sourceUpstream    = "upstream_token"
	sourceChain       = "audit_chain"
)

var sourceKinds = []string{sourceTokenFile, sourceToken, sourceEnvironment, sourceUpstream, sourceChain}

// sourcedToken is a token of the configuration or of the environment. Its secret comes
// from its source, and changes with it if the source is a file.
type sourcedToken struct {
	name    string
	scopes  []authmin.Scope
	models  *authmin.Models // nil: every model
	budgets []authmin.Budget
	source  *authmin.SecretSource
	alias   *authmin.SecretSource // a second source that must have the same secret; nil: none
}

// tokenOf returns the token with a secret.
func (t *sourcedToken) tokenOf(secret authmin.Secret) authmin.Token {
	token := authmin.NewToken(t.name, secret, t.scopes...)
	token.Models, token.Budgets = t.models, t.budgets
	return token
}

// upstreamCredential is the credential that a guard sends to its upstream in place of the
// client's token. It changes with its source.
type upstreamCredential struct {
	guard  string
	source *authmin.SecretSource
	header atomic.Pointer[authmin.Secret] // the value of Authorization
}

// value is the value of Authorization; the zero Secret for a nil credential.
func (u *upstreamCredential) value() authmin.Secret {
	if u == nil {
		return authmin.Secret{}
	}
	return *u.header.Load()
}

// secret is the credential itself.
func (u *upstreamCredential) secret() authmin.Secret {
	if u == nil {
		return authmin.Secret{}
	}
	return u.source.Secret()
}

func (u *upstreamCredential) set(secret authmin.Secret) {
	header := authmin.NewSecret("Bearer " + secret.Reveal())
	u.header.Store(&header)
}

// addUpstream reads the credential of a guard. It must be called before watch.
func (s *tokenStore) addUpstream(guard, source string) (*upstreamCredential, error) {
	from, err := openSource(sourceUpstream, "upstream_token of guard "+guard, source)
	if err != nil {
		return nil, err
	}
	u := &upstreamCredential{guard: guard, source: from}
	if err := distinct(s.keyring(), u, from.Secret()); err != nil {
		return nil, err
	}
	u.set(from.Secret())
	s.upstreams = append(s.upstreams, u)
	s.leaks.setOwn(s.upstreams, (*authmin.SecretSource).Secret)
	return u, nil
}

// distinct refuses an upstream credential that is also a client's token: the client
// could call the upstream as the gateway.
func distinct(ring *authmin.Keyring, u *upstreamCredential, secret authmin.Secret) error {
	if token, verdict := ring.Lookup(secret.Digest(), time.Now()); verdict != authmin.VerdictUnknown {
		return fmt.Errorf("the upstream_token of guard %s is also the token of the client %s; generate another one: openssl rand -hex 32", u.guard, token.Name)
	}
	return nil
}

// watchSecrets starts to watch the files of single secrets.
func (s *tokenStore) watchSecrets() {
	var sources []*authmin.SecretSource
	for i := range s.tokens {
		sources = append(sources, s.tokens[i].source, s.tokens[i].alias)
	}
	for _, u := range s.upstreams {
		sources = append(sources, u.source)
	}
	sources = append(sources, s.chains...)
	s.secrets = authmin.NewSecretWatch(sources, s.takeSecrets, s.reportSecret)
	s.secrets.CheckMounts()
}

// takeSecrets puts a set of secrets into use, or refuses it.
func (s *tokenStore) takeSecrets(next func(*authmin.SecretSource) authmin.Secret) error {
	for _, key := range s.chains {
		if !next(key).Equal(key.Secret()) {
			return errChainKeyChanged
		}
	}
	was := s.keyring()
	if err := s.rebuild(next); err != nil {
		return err
	}
	var before, after []authmin.Token
	for i := range s.tokens {
		t := &s.tokens[i]
		if old, fresh := t.source.Secret(), next(t.source); !old.Equal(fresh) {
			before, after = append(before, t.tokenOf(old)), append(after, t.tokenOf(fresh))
		}
	}
	s.reportChanges(before, after, was, bySource)
	return nil
}

// reportSecret logs and counts whether a changed file was loaded.
func (s *tokenStore) reportSecret(e authmin.SecretEvent) {
	source := []zap.Field{zap.String("source", e.Source.Name()), zap.String("path", e.Source.Path())}
	if e.Err == nil {
		s.updateMetrics()
		s.log.Info("secret loaded", append(source, zap.String("fp6", e.Source.Secret().Fingerprint()))...)
		return
	}
	s.metrics.sourceErrors.WithLabelValues(e.Source.Kind()).Inc()
	s.audit.configRejected(e.Source.Kind(), e.Err)
	s.log.Error("secret not loaded; the last good one stays in use", append(source, zap.Error(e.Err))...)
}

// errChainKeyChanged refuses a new chain key while the gateway runs: records under two
// keys in one file could not be verified.
var errChainKeyChanged = errors.New("the chain key of an audit file cannot change while the gateway runs; use another audit file for the new key, or restart")

var errAliasDiffers = errors.New(EnvToken + " and its deprecated alias " + EnvTokenAlias + " are both set and differ; unset " + EnvTokenAlias)

// sourcedTokens returns the tokens with the secrets that next returns.
func (s *tokenStore) sourcedTokens(next func(*authmin.SecretSource) authmin.Secret) ([]authmin.Token, error) {
	tokens := make([]authmin.Token, 0, len(s.tokens))
	for i := range s.tokens {
		t := &s.tokens[i]
		secret := next(t.source)
		if t.alias != nil && !next(t.alias).Equal(secret) {
			return nil, errAliasDiffers
		}
		tokens = append(tokens, t.tokenOf(secret))
	}
	return tokens, nil
}
