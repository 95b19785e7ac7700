package resolver

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"io"
	"strings"
	"sync"
)

// entropy hands out the octets of a random source, which it reads in large
// pieces. Should the source fail, crypto/rand takes its place.
type entropy struct {
	mu     sync.Mutex
	source io.Reader
	buf    [1024]byte
	left   int
}

// fill fills p, which must be shorter than the buffer.
func (e *entropy) fill(p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.left < len(p) {
		if _, err := io.ReadFull(e.source, e.buf[:]); err != nil {
			e.source = rand.Reader
			_, _ = rand.Read(e.buf[:])
		}
		e.left = len(e.buf)
	}
	e.left -= copy(p, e.buf[e.left-len(p):e.left])
}

// id returns a random message id.
func (e *entropy) id() uint16 {
	var b [2]byte
	e.fill(b[:])
	return binary.BigEndian.Uint16(b[:])
}

// randomLen is the length of what label returns.
const randomLen = 16

// label returns a random label of 80 bits, in lower case.
func (e *entropy) label() string {
	var b [randomLen * 5 / 8]byte
	e.fill(b[:])
	return strings.ToLower(base32.HexEncoding.EncodeToString(b[:]))
}
