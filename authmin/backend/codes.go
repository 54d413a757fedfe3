package backend

import (
	"iter"
	"maps"
)

// numbers are the codes of both backends, each with the number that people sort
// logs by: the status that the code comes with, and two digits. Several codes share
// a status, no two a number; the numbers of the edge (authmin, caddymodule) are
// others, and a test in integration/houserules holds that for all of them. 00 is for
// a code that is not here: that of an engine or of another version.
//
// A number stays with its code for good. A new code takes the next free number.
var numbers = map[string]int{
	"INVALID_JSON":       40010,
	"MEMBER_NOT_ALLOWED": 40011,
	"MODEL_MISSING":      40013,
	"MEMBER_AMBIGUOUS":   40012,
	"INVALID_MEMBER":     40014,
	"HEADERS_TOO_LARGE":  40015,
	"KEY_MISSING":        40016,
	"BODY_CUT":           40017,
	"INVALID_QUERY":      40018,

	"NODE_OWNED":   40306,
	"WORKER_OWNED": 40307,
	// The edge refuses with the same code.
	"MODEL_NOT_ALLOWED": 40308,

	"POOL_NOT_FOUND":         40401,
	"TEMPLATE_NOT_FOUND":     40402,
	"NOT_FOUND":              40403,
	"ROUTE_NOT_FOUND":        40404,
	"TASK_NOT_FOUND":         40405,
	"SESSION_NOT_FOUND":      40406,
	"ARTIFACT_NOT_FOUND":     40407,
	"MODEL_NOT_FOUND":        40408,
	"MODEL_NOT_AVAILABLE":    40409,
	"WORKLOAD_NOT_AVAILABLE": 40410,
	"NODE_NOT_FOUND":         40411,
	"RESPONSE_NOT_FOUND":     40412,

	"METHOD_NOT_ALLOWED": 40501,
	"NOT_ACCEPTABLE":     40601,
	"BODY_TIMEOUT":       40801,

	"POOL_NOT_READY":         40901,
	"POOL_BUSY":              40902,
	"MODEL_NOT_LOADED":       40903,
	"RELOAD_ROLLED_BACK":     40904,
	"TOO_MANY_POOLS":         40905,
	"POOL_HANDED_OFF":        40906,
	"MODEL_NOT_STAGED":       40907,
	"AMBIGUOUS_POOL":         40908,
	"ARTIFACT_EXISTS":        40909,
	"CLOCK_SKEW":             40910,
	"STALE_HEARTBEAT":        40911,
	"IDEMPOTENCY_KEY_REUSED": 40912,
	"IDEMPOTENCY_KEY_SPENT":  40913,
	"MODEL_EXISTS":           40914,
	"MODEL_RETIRED":          40915,
	"SESSION_EXISTS":         40916,
	"SESSION_FULL":           40917,
	"TASK_EXISTS":            40918,
	"CANCELED":               40919,
	"RESULT_EXPIRED":         40920,
	"RESPONSE_POOL_GONE":     40921,

	"BODY_TOO_LARGE":         41301,
	"ARTIFACT_TOO_LARGE":     41302,
	"MODEL_TOO_LARGE":        41303,
	"TASK_TOO_LARGE":         41304,
	"UNSUPPORTED_MEDIA_TYPE": 41501,
	"CONTENT_ENCODING":       41502,

	"INVALID_FIELD":            42201,
	"INVALID_POOL_ID":          42202,
	"INVALID_MODEL_REF":        42203,
	"INVALID_TASK":             42204,
	"WORKLOAD_NOT_SUPPORTED":   42205,
	"INVALID_ARTIFACT":         42206,
	"INVALID_CURSOR":           42207,
	"INVALID_MODEL":            42208,
	"INVALID_NODE":             42209,
	"INVALID_SOURCE":           42210,
	"INVALID_WORKER":           42211,
	"NODE_WITHOUT_TOKEN":       42212,
	"NODE_ADDRESS_REFUSED":     42213,
	"PARENT_NOT_FOUND":         42214,
	"INVALID_EVENT_ID":         42215,
	"NOT_SUPPORTED":            42216,
	"TOKENS_NOT_SUPPORTED":     42217,
	"DIMENSIONS_NOT_SUPPORTED": 42218,
	"PROTOCOL_NOT_SERVED":      42219,
	"CONTEXT_NOT_SERVED":       42220,
	"DETERMINISM_NOT_SERVED":   42221,

	"NO_SLOT":                42911,
	"NO_MEMORY":              42912,
	"QUEUE_FULL":             42913,
	"QUEUE_SHARE_FULL":       42914,
	"CATALOG_FULL":           42915,
	"TOO_MANY_KEYS":          42916,
	"TOO_MANY_NODES":         42917,
	"TOO_MANY_VERIFICATIONS": 42918,
	"TOO_MANY_WORKERS":       42919,
	"TOO_MANY_UPLOADS":       42921,
	"TOO_MANY_STREAMS":       42920,

	codeInternal: 50002,

	// How a task fails, where the answer to a call is one: 502 for all but one.
	"ENGINE_ERROR":          50201,
	"ENGINE_UNAVAILABLE":    50202,
	"WORKER_RESET":          50203,
	"WORKER_UNAVAILABLE":    50204,
	"DISPATCH_REFUSED":      50205,
	"DEADLINE_EXCEEDED":     50206,
	"STREAM_LIMIT_EXCEEDED": 50207,
	"STREAM_STALLED":        50208,
	"OUTPUT_TOO_LARGE":      50209,
	"OUTPUT_INVALID":        50210,
	"QUEUE_DISPLACED":       50211,
	"EVENTS_GONE":           50212,
	"ENGINE_REFUSED":        50213,
	"ENGINE_REJECTED":       50214,
	"CONTENT_LOST":          50215,
	"FINISH_REASON_UNKNOWN": 50216,

	"STARTING":          50302,
	"RELOAD_UNDER_WAY":  50303,
	"STOPPING":          50304,
	"UNAVAILABLE":       50305,
	"STATE_UNAVAILABLE": 50306,
	"STORE_FULL":        50307,
	"CANCEL_PENDING":    50308,
	"NODES_RETURNING":   50309,
	"NODE_OFFLINE":      50310,
	"NODE_REFUSED":      50311,
	"CONTENT_FULL":      50314,
	"NODE_UNREACHABLE":  50312,
	"ENGINE_BUSY":       50313,
}

// Codes gives every registered code with its number, in no order.
func Codes() iter.Seq2[string, int] { return maps.All(numbers) }

// CodeNumber is the number of a code: its own, or the status and 00.
func CodeNumber(code string, status int) int {
	if n, ok := numbers[code]; ok {
		return n
	}
	return status * 100
}
