package smtpprobe

import (
	"io"

	"github.com/arpagate/arpagate/internal/evidence"
)

// ReadReply reads one reply, and reports whether more octets were read than it
// holds.
func ReadReply(in io.Reader) (reply *evidence.SMTPReply, more, long bool, err error) {
	r := &reader{in: in, renew: func() {}}
	reply, long, err = r.reply()
	return reply, r.pending(), long, err
}
