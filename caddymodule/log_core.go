package caddymodule

import "go.uber.org/zap/zapcore"

// logCleaner redacts log entries.
type logCleaner interface {
	text(text string) string // of a message or a stack trace
	fields(fields []zapcore.Field) []zapcore.Field
}

// cleanedCore is a log core that redacts every entry before it is written.
type cleanedCore struct {
	zapcore.Core
	cleaner logCleaner
}

// With implements [zapcore.Core].
func (c cleanedCore) With(fields []zapcore.Field) zapcore.Core {
	return cleanedCore{c.Core.With(c.cleaner.fields(fields)), c.cleaner}
}

// Check implements [zapcore.Core]. It checks each log behind it, since each has its own
// level and list of names.
func (c cleanedCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	inner := c.Core.Check(entry, nil)
	if inner == nil {
		return checked
	}
	return checked.AddCore(entry, cleanedEntry{c, inner})
}

// cleanedEntry is one entry on its way to the logs that write it.
type cleanedEntry struct {
	cleanedCore
	inner *zapcore.CheckedEntry
}

// Write implements [zapcore.Core].
func (e cleanedEntry) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message, entry.Stack = e.cleaner.text(entry.Message), e.cleaner.text(entry.Stack)
	e.inner.Entry = entry
	e.inner.Write(e.cleaner.fields(fields)...)
	return nil
}
