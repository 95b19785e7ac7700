package smtpprobe

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Limits of a reply. RFC 5321 §4.5.3.1.5: a line has at most 512 octets, with
// code and CRLF; longer ones are read up to hardLine, and noted.
const (
	maxLine  = 512
	hardLine = 1000
	maxLines = 100
)

// garble is the error of text that is not SMTP.
type garble string

// Error returns what is wrong with the text.
func (g garble) Error() string { return string(g) }

// reader takes replies from a connection, octet by octet as strictly as RFC
// 5321 §4.2 writes them. What a reply may hold is bounded, and so is reader.
type reader struct {
	in io.Reader
	// renew is called when something comes after a wait: a server that keeps
	// speaking gets time for each line.
	renew func()
	buf   [2 * hardLine]byte
	from  int // buf[from:to] was read and not yet taken
	to    int
}

// line returns the next line with its line end, valid until the next call.
func (r *reader) line() ([]byte, error) {
	for scanned := 0; ; {
		have := r.buf[r.from:r.to]
		if i := bytes.IndexByte(have[scanned:], '\n'); i >= 0 && scanned+i < hardLine {
			r.from += scanned + i + 1
			return have[:scanned+i+1], nil
		}
		if len(have) >= hardLine {
			return have[:hardLine], garble(fmt.Sprintf("line of more than %d octets", hardLine))
		}
		scanned = len(have)
		copy(r.buf[:], have)
		r.from, r.to = 0, len(have)
		n, err := r.in.Read(r.buf[r.to:])
		if n > 0 && r.to == 0 {
			r.renew()
		}
		r.to += n
		switch {
		case n > 0 || err == nil:
		case errors.Is(err, io.EOF) && r.to > 0:
			return r.buf[:r.to], io.ErrUnexpectedEOF
		default:
			return r.buf[:r.to], err
		}
	}
}

// pending reports whether there is more than what was taken: a server that
// speaks without being asked.
func (r *reader) pending() bool { return r.from < r.to }

// reply reads one reply, of one line or several. With an error it returns what
// was read before, with the line that is to blame at the end; nil for nothing.
// long reports lines beyond the limit of the standard.
func (r *reader) reply() (reply *evidence.SMTPReply, long bool, err error) {
	reply = new(evidence.SMTPReply)
	for {
		raw, err := r.line()
		if err != nil {
			if errors.Is(err, io.EOF) && reply.Code != 0 {
				err = io.ErrUnexpectedEOF
			}
			reply.Lines = appendText(reply.Lines, raw)
			if len(reply.Lines) == 0 {
				return nil, long, err
			}
			return reply, long, err
		}
		code, last, text, err := parseLine(raw)
		if err == nil && reply.Code != 0 && code != reply.Code {
			err = garble(fmt.Sprintf("codes %d and %d in one reply", reply.Code, code))
		}
		if err != nil {
			reply.Lines = appendText(reply.Lines, raw)
			return reply, long, err
		}
		long = long || len(raw) > maxLine
		reply.Code, reply.Lines = code, append(reply.Lines, untrusted.Long(text))
		if last {
			return reply, long, nil
		}
		if len(reply.Lines) == maxLines {
			return reply, long, garble(fmt.Sprintf("reply of more than %d lines", maxLines))
		}
	}
}

func appendText(lines []untrusted.Text, raw []byte) []untrusted.Text {
	if raw = bytes.TrimRight(raw, "\r\n"); len(raw) > 0 {
		lines = append(lines, untrusted.Long(string(raw)))
	}
	return lines
}

// parseLine reads one line of a reply: the code, whether it is the last line,
// and the text. RFC 5321 §4.2: code, hyphen or space, text of printable ASCII
// and tabs, CRLF; the code may stand alone. Its second digit may be any, since
// 571 and the like are in use.
func parseLine(raw []byte) (code int, last bool, text string, err error) {
	line, ended := bytes.CutSuffix(raw, []byte("\r\n"))
	if err := octets(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
		return 0, false, "", err
	}
	if !ended {
		return 0, false, "", garble("bare LF")
	}
	if len(line) < 3 || !digit(line[0]) || !digit(line[1]) || !digit(line[2]) {
		return 0, false, "", garble("no reply code")
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if code < 200 || code > 599 {
		return 0, false, "", garble(fmt.Sprintf("reply code %03d", code))
	}
	switch {
	case len(line) == 3:
		return code, true, "", nil
	case line[3] == ' ':
		return code, true, string(line[4:]), nil
	case line[3] == '-':
		return code, false, string(line[4:]), nil
	}
	return 0, false, "", garble("neither blank nor hyphen after the reply code")
}

// octets refuses what no reply may hold.
func octets(line []byte) error {
	if i := bytes.IndexByte(line, 0); i >= 0 {
		if i < 2 || bytes.HasPrefix(line, []byte("\xff\xfe")) || bytes.HasPrefix(line, []byte("\xfe\xff")) {
			return garble("UTF-16")
		}
		return garble("NUL octet")
	}
	for _, c := range line {
		switch {
		case c == '\r':
			return garble("bare CR")
		case c >= 0x80:
			return garble("8-bit octets")
		case c < ' ' && c != '\t', c == 0x7f:
			return garble("control characters")
		}
	}
	return nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
