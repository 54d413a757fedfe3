package tinymodel

import (
	"bytes"
	"encoding/binary"
	"math"
)

// The kinds of values in GGUF's metadata that are used here (ggml, docs/gguf.md).
const (
	kindUint32  = 4
	kindInt32   = 5
	kindFloat32 = 6
	kindBool    = 7
	kindString  = 8
	kindArray   = 9
)

// alignment is where the data of each tensor begins: GGUF's default.
const alignment = 32

// encoder collects the parts of a GGUF file. Every number is little-endian.
type encoder struct {
	metadata []byte
	entries  uint64

	tensors []byte // their descriptions
	count   uint64
	data    []byte
}

func text(to []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(to, uint64(len(s))), s...)
}

func (e *encoder) key(name string, kind uint32) {
	e.entries++
	e.metadata = binary.LittleEndian.AppendUint32(text(e.metadata, name), kind)
}

func (e *encoder) string(name, value string) {
	e.key(name, kindString)
	e.metadata = text(e.metadata, value)
}

func (e *encoder) uint32(name string, value uint32) {
	e.key(name, kindUint32)
	e.metadata = binary.LittleEndian.AppendUint32(e.metadata, value)
}

func (e *encoder) float32(name string, value float32) {
	e.key(name, kindFloat32)
	e.metadata = binary.LittleEndian.AppendUint32(e.metadata, math.Float32bits(value))
}

func (e *encoder) bool(name string, value bool) {
	e.key(name, kindBool)
	b := byte(0)
	if value {
		b = 1
	}
	e.metadata = append(e.metadata, b)
}

func (e *encoder) array(name string, kind uint32, length int) {
	e.key(name, kindArray)
	e.metadata = binary.LittleEndian.AppendUint32(e.metadata, kind)
	e.metadata = binary.LittleEndian.AppendUint64(e.metadata, uint64(length))
}

func (e *encoder) strings(name string, values []string) {
	e.array(name, kindString, len(values))
	for _, v := range values {
		e.metadata = text(e.metadata, v)
	}
}

func (e *encoder) floats(name string, values []float32) {
	e.array(name, kindFloat32, len(values))
	for _, v := range values {
		e.metadata = binary.LittleEndian.AppendUint32(e.metadata, math.Float32bits(v))
	}
}

func (e *encoder) ints(name string, values []int32) {
	e.array(name, kindInt32, len(values))
	for _, v := range values {
		e.metadata = binary.LittleEndian.AppendUint32(e.metadata, uint32(v))
	}
}

// tensor adds 32-bit floats; the first size is the length of a row.
func (e *encoder) tensor(name string, values []float32, sizes ...int) {
	e.count++
	e.tensors = binary.LittleEndian.AppendUint32(text(e.tensors, name), uint32(len(sizes)))
	for _, n := range sizes {
		e.tensors = binary.LittleEndian.AppendUint64(e.tensors, uint64(n))
	}
	e.tensors = binary.LittleEndian.AppendUint32(e.tensors, 0) // F32
	e.tensors = binary.LittleEndian.AppendUint64(e.tensors, uint64(len(e.data)))
	for _, v := range values {
		e.data = binary.LittleEndian.AppendUint32(e.data, math.Float32bits(v))
	}
	e.data = pad(e.data)
}

func pad(b []byte) []byte {
	return append(b, make([]byte, (alignment-len(b)%alignment)%alignment)...)
}

// file is the whole: the head, padded, and the data.
func (e *encoder) file() []byte {
	head := []byte("GGUF")
	head = binary.LittleEndian.AppendUint32(head, 3)
	head = binary.LittleEndian.AppendUint64(head, e.count)
	head = binary.LittleEndian.AppendUint64(head, e.entries)
	return bytes.Join([][]byte{pad(append(append(head, e.metadata...), e.tensors...)), e.data}, nil)
}
