// Package usage reads how many tokens an answer took while its bytes pass.
//
//	s := usage.NewScanner(answer.Header.Get("Content-Type"))
//	io.Copy(w, io.TeeReader(answer.Body, s))
//	s.Close()
//	figures := s.Figures()
//
// A [Scanner] understands the answers of OpenAI's chat, completions, responses,
// embeddings and of rerank, of Anthropic's messages, and of Ollama's routes: JSON, events
// (text/event-stream) and lines of JSON (application/x-ndjson). It reads events one by
// one with package jsonbody and builds no values. It holds the figures, the start of one
// line, at most 512 bytes of each member that it knows, of one event, and one event with
// text of at most 4 KiB: less than 64 KiB, however long an answer or an event is.
//
// # What counts
//
// Only members of the top-level `usage`, of `message.usage` and of `response.usage` are
// figures, and Ollama's top-level `prompt_eval_count` and `eval_count`. Text in strings
// is never one. A figure is an integer from 0 to 2^40, however it is written (1e3 is
// 1000). null, and a member that is not there, say nothing. Any other value, and a member
// that occurs twice or in another spelling, make the whole answer unreported: two readers
// could understand it differently. So does an answer that is no JSON object, or nested
// deeper than 128. An event that cannot be read adds nothing.
//
// Of several figures in one answer, the later one replaces the earlier, as engines send
// them: the first event of Anthropic's messages has the input and what is written so far,
// later ones replace both. Output and reasoning never decrease. message.usage is a
// beginning only: an answer without a later figure has not reported.
//
// # What it is not
//
// It does not judge whether an engine says the truth, it does not count tokens of text,
// and it does not decode Content-Encoding. Where an answer has no figures, [Scanner.Seen]
// is a lower estimate: events that carry text.
package usage
