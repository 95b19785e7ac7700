package bounce_test

import (
	"runtime"
	"strings"
	"testing"
)

// mebibyte repeats a piece between a head and a tail to 1 MiB, and shorter does to
// an eighth of that.
func mebibyte(head, piece, tail string) string {
	return head + strings.Repeat(piece, (1<<20-len(head)-len(tail))/len(piece)) + tail
}

func shorter(head, piece, tail string) string {
	return head + strings.Repeat(piece, (1<<17-len(head)-len(tail))/len(piece)) + tail
}

// Reading costs no more than so many octets of memory for each octet of text,
// and so many that are held against the rules, whatever the text is: what is
// counted is work and not time, which differs from machine to machine.
func TestCost(t *testing.T) {
	const (
		perOctet = 20_000 // 60 but for the race detector, 100,000 with a value put together anew for each line
		judged   = 64 << 10
	)
	status := "Reporting-MTA: dns; mx.example.org\n\n"
	mail := "From: a\nTo: b\nSubject: c\nContent-Type: multipart/report; boundary=x\n\n"
	r := open(t)
	for name, text := range map[string]string{
		"one field folded for ever":   mebibyte(status+"Diagnostic-Code: smtp; 550 5.7.25", "\n x", ""),
		"the same in a report":        mebibyte(mail+"--x\nContent-Type: message/delivery-status\n\n"+status+"Diagnostic-Code: smtp; 550 5.7.25", "\n x", "\n--x--\n"),
		"a returned field folded":     mebibyte(mail+"--x\n\n550 5.7.1 y\n--x\nContent-Type: text/rfc822-headers\n\nFrom: a@example.net\nSubject: c\nReceived: from x", "\n x", "\n--x--\n"),
		"many diagnostics":            shorter(status, "Diagnostic-Code: smtp; 550 x\nRemote-MTA: dns; y\n", ""),
		"many long diagnostics":       shorter(status, "Diagnostic-Code: smtp; 550 "+strings.Repeat("x ", 4000)+"\n", ""),
		"one field of addresses":      shorter(status+"Received-From-MTA: dns; ", "192.0.2.1 ", ""),
		"many parts of many refusals": shorter(mail, "--x\n\n"+strings.Repeat("550 5.7.1 "+strings.Repeat("x ", 40)+"\n\n", 200), ""),
		"a reply of many lines":       shorter("", "2026-01-02T03:04:06.456Z,I,08D1234567890ABD,8,10.0.0.5:49200,198.51.100.9:25,<,550-"+strings.Repeat("x", 900)+",\n", ""),
		"many paragraphs":             shorter("", "550 5.7.1 "+strings.Repeat("x ", 2000)+"\n\n", ""),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, octets, err := r.Cost(text)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Error(err)
			}
			sound(t, got)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(perOctet*len(text)) {
				t.Errorf("%d octets of memory for each octet of text", spent/uint64(len(text)))
			}
			if octets > judged {
				t.Errorf("%d octets were held against the rules", octets)
			}
		})
	}
}
