package authmin

import "strings"

// peerQuotes are the beginnings of texts of net/http and net/textproto that go on with
// what the peer of a connection sent.
var peerQuotes = []string{
	"Unsolicited response received on idle HTTP channel starting with ", // to the standard library's log
	"malformed HTTP response ", "malformed HTTP status code ", "malformed HTTP version ",
	"malformed MIME header", // a line of the header, or of the trailer after a chunked body
	"bad trailer key ", "invalid Trailer key ",
	"bad Content-Length ", "invalid empty Content-Length ", "cannot contain multiple Content-Length headers; got ",
	"too many transfer encodings: ", "unsupported transfer encoding: ",
	"failed to parse Location header ",
	"server sent GOAWAY and closed the connection; ",
}

// RedactPeer removes from a log message, or from the text of an error, what net/http
// quotes of an upstream that does not keep to HTTP: it may be a part of a prompt or of an
// answer. The text ends there.
func RedactPeer(text string) string {
	for _, begin := range peerQuotes {
		if at := strings.Index(text, begin); at >= 0 {
			end := ""
			if strings.HasSuffix(text, "\n") {
				end = "\n"
			}
			text = strings.TrimSpace(text[:at+len(begin)]) + " [redacted]" + end
		}
	}
	return text
}
