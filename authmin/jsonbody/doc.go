// Package jsonbody reads a JSON document while its bytes pass, in constant
// memory, and reports the few members that a gateway has to know. It builds no
// values: a request of 32 MiB costs what its watched members cost.
//
// A gateway that decides by a member ("model") and forwards the bytes must not
// read the document otherwise than the service behind it does. Services differ:
// of two equal members some take the first and some the last, some ignore case,
// some accept a trailing comma. A [Scanner] therefore accepts only documents
// that have one reading:
//
//   - RFC 8259 to the letter, without a byte order mark, one object at the top;
//   - valid UTF-8, no lone surrogate escapes, bounded nesting; an escaped NUL in
//     values that are not watched only;
//   - a watched member at most once in its object, and spelled exactly so. Names
//     are compared unescaped and case-folded as encoding/json folds them, with
//     the dotted capital and the dotless small i taken for i as well. The same
//     holds for each object on the way to a watched member.
//
// What it does not do: it does not notice that an unwatched member occurs twice,
// it does not look for watched members inside arrays, and it does not judge
// values.
package jsonbody
