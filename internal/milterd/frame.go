package milterd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// maxFrame is the longest frame that is read: a mebibyte of data, as
	// SMFIP_MDS_1M allows it, and its command and name.
	maxFrame = 1<<20 + 64

	// maxKept is how much of a frame is kept; what follows is read and dropped.
	// A frame that matters to us has its matter in front.
	maxKept = 64 << 10

	// firstBuffer holds the envelope commands of a whole message. It is all the
	// buffer that an idle connection has.
	firstBuffer = 2 << 10

	// headSize is the length and the command.
	headSize = 5
)

// errFrame marks what no MTA sends.
var errFrame = errors.New("milterd: bad frame")

// frame is one command. The body is valid until the next one is read.
type frame struct {
	command byte
	body    []byte
	cut     bool // the body was longer than what is kept of it
}

// reader reads frames. The buffer grows with the data that has arrived, never
// with the data that was announced.
type reader struct {
	conn  net.Conn
	idle  time.Duration // patience between two frames
	frame time.Duration // patience within a frame

	buf   []byte
	r, w  int       // buf[r:w] is read from the socket, but not used yet
	begun bool      // an octet of the present frame has arrived
	until time.Time // when the present frame must be complete
}

// next returns the next frame. It returns io.EOF when the peer closed between
// two frames, and the error of ctx when that ended.
func (r *reader) next(ctx context.Context) (frame, error) {
	if r.r == r.w {
		r.r, r.w = 0, 0
		if len(r.buf) > firstBuffer {
			r.buf = make([]byte, firstBuffer)
		}
	}
	r.begun, r.until = r.r < r.w, time.Time{}
	if err := r.fill(ctx, headSize-1); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(r.buf[r.r:])
	if n == 0 || n > maxFrame {
		return frame{}, fmt.Errorf("%w: length %d", errFrame, n)
	}
	if err := r.fill(ctx, headSize); err != nil {
		return frame{}, err
	}
	command := r.buf[r.r+headSize-1]
	if !knownCommand(command) {
		return frame{}, fmt.Errorf("%w: command %q", errFrame, rune(command))
	}
	r.r += headSize
	return r.body(ctx, command, int(n)-1)
}

// body reads the n octets behind the head: a chunk of the message's body only
// to drop it, of everything else the first maxKept octets.
func (r *reader) body(ctx context.Context, command byte, n int) (frame, error) {
	kept := min(n, maxKept)
	if command == cmdBody {
		kept = 0
	}
	if err := r.fill(ctx, kept); err != nil {
		return frame{}, err
	}
	f := frame{command: command, body: r.buf[r.r : r.r+kept : r.r+kept], cut: kept < n}
	r.r += kept
	return f, r.skip(ctx, n-kept)
}

// fill reads until n octets are in the buffer.
func (r *reader) fill(ctx context.Context, n int) error {
	for r.w-r.r < n {
		if r.w == len(r.buf) {
			r.makeRoom()
		}
		k, err := r.read(ctx, r.buf[r.w:])
		r.w += k
		if err != nil && r.w-r.r < n {
			return err
		}
	}
	return nil
}

// makeRoom moves the octets to the front of a full buffer, or doubles it.
func (r *reader) makeRoom() {
	to := r.buf
	if r.r == 0 {
		to = make([]byte, 2*len(r.buf))
	}
	r.w = copy(to, r.buf[r.r:r.w])
	r.r, r.buf = 0, to
}

// skip drops n octets. It leaves alone those before r.r, where the body of the
// present frame lies.
func (r *reader) skip(ctx context.Context, n int) error {
	have := min(n, r.w-r.r)
	r.r += have
	if n -= have; n == 0 {
		return nil
	}
	waste := r.buf[r.w:]
	if len(waste) < firstBuffer/4 {
		waste = make([]byte, firstBuffer)
	}
	for n > 0 {
		k, err := r.read(ctx, waste[:min(n, len(waste))])
		if n -= k; err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// read reads once from the socket, with the deadline that is due: the whole
// frame has one, so that dripping octets does not prolong it.
func (r *reader) read(ctx context.Context, p []byte) (int, error) {
	switch {
	case !r.begun:
		r.until = time.Now().Add(r.idle)
	case r.until.IsZero():
		r.until = time.Now().Add(r.frame)
	}
	if err := r.conn.SetReadDeadline(r.until); err != nil {
		return 0, r.fail(err)
	}
	// The end of ctx sets a deadline in the past; if ours has just overwritten
	// it, the error is there already.
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.conn.Read(p)
	if err != nil && n == 0 {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, r.fail(err)
	}
	if !r.begun {
		r.begun, r.until = true, time.Time{}
	}
	return n, nil
}

// fail says what an error of the socket means at this place of the stream.
func (r *reader) fail(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF) && !r.begun:
		return io.EOF
	case errors.Is(err, io.EOF):
		return fmt.Errorf("milterd: read: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &timeout) && timeout.Timeout() && !r.begun:
		return fmt.Errorf("milterd: no command within %v", r.idle)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: not complete within %v", errFrame, r.frame)
	}
	return fmt.Errorf("milterd: read: %w", err)
}
