package trail

import (
	"os"
	"strconv"
)

const (
	// facilityAuthPriv is the facility of private security messages (RFC 5424,
	// table 1); severities are of table 2.
	facilityAuthPriv = 10
	severityError    = 3
	severityWarning  = 4
	severityInfo     = 6
)

// appendMessage frames a record. The record's level and event are read back from
// the line, whose beginning is ours.
func (o *syslogOutput) appendMessage(dst, line []byte) []byte {
	header := o.appendHeader(make([]byte, 0, 400), line)
	if o.stream {
		dst = strconv.AppendInt(dst, int64(len(header)+len(line)), 10)
		dst = append(dst, ' ')
	}
	return append(append(dst, header...), line...)
}

// appendHeader writes `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD ` of
// RFC 5424 §6.
func (o *syslogOutput) appendHeader(dst, line []byte) []byte {
	severity := severityInfo
	switch fieldOf(line, "level") {
	case "WARN":
		severity = severityWarning
	case "ERROR":
		severity = severityError
	}
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(facilityAuthPriv*8+severity), 10)
	dst = append(dst, ">1 "...)
	dst = append(dst, fieldOf(line, "time")...)
	dst = append(dst, ' ')
	dst = append(dst, o.host...)
	dst = append(dst, " authmin "...)
	dst = strconv.AppendInt(dst, int64(os.Getpid()), 10)
	dst = append(dst, ' ')
	dst = append(dst, fieldOf(line, "event")...)
	return append(dst, " - "...)
}
