package smtpprobe_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/arpagate/arpagate/internal/smtpprobe"
)

// FuzzReply reads replies: what is taken is what was sent, within the limits,
// and the same in one piece and octet by octet.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"", "220 mail.example.org ESMTP\r\n", "250-mail.example.org\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "220\r\n", "250-\r\n250\r\n",
		"220-a\r\n250 b\r\n", "099 x\r\n", "220 a\n", "220 \x00\r\n", "220 \xff\r\n", "2\x002\x00", "220 a\r\n250 b\r\n",
		"220 " + strings.Repeat("x", 600) + "\r\n", "220 " + strings.Repeat("x", 1200), strings.Repeat("250-x\r\n", 101),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		reply, _, long, err := smtpprobe.ReadReply(strings.NewReader(string(in)))
		slowly, _, _, again := smtpprobe.ReadReply(iotest.OneByteReader(strings.NewReader(string(in))))
		if fmt.Sprint(reply, err) != fmt.Sprint(slowly, again) {
			t.Fatalf("in one piece %v, %v; slowly %v, %v", reply, err, slowly, again)
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(in) > 0 {
				t.Fatalf("the end comes after %d octets", len(in))
			}
			return
		}
		var sent strings.Builder
		for i, l := range reply.Lines {
			switch raw := l.Raw(); {
			case i < len(reply.Lines)-1:
				fmt.Fprintf(&sent, "%d-%s\r\n", reply.Code, raw)
			case raw == "" && !strings.HasPrefix(string(in[sent.Len():]), fmt.Sprintf("%d ", reply.Code)):
				fmt.Fprintf(&sent, "%d\r\n", reply.Code)
			default:
				fmt.Fprintf(&sent, "%d %s\r\n", reply.Code, raw)
			}
		}
		if !strings.HasPrefix(string(in), sent.String()) {
			t.Fatalf("took %q of %q", sent.String(), in)
		}
		if len(reply.Lines) > 100 || reply.Code < 200 || reply.Code > 599 || long != (longest(sent.String()) > 512) {
			t.Fatalf("code %d, %d lines, long %t", reply.Code, len(reply.Lines), long)
		}
		for i := range len(sent.String()) {
			if c := sent.String()[i]; c >= 0x7f || c < ' ' && c != '\t' && c != '\r' && c != '\n' {
				t.Fatalf("octet %#x was taken", c)
			}
		}
	})
}

func longest(s string) (n int) {
	for line := range strings.SplitAfterSeq(s, "\n") {
		n = max(n, len(line))
	}
	return n
}
