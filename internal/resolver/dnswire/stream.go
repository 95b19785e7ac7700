package dnswire

import (
	"bytes"
	"encoding/binary"
	"io"
)

// ReadMessage reads one message from a stream, behind its two octets of length
// (RFC 1035 §4.2.2). Its space grows with what arrives, so that a length that is
// announced and not sent costs nothing.
func ReadMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(binary.BigEndian.Uint16(length[:]))); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
