package reply_test

import (
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/reply"
)

func deferral(code, enhanced string) reply.Reply {
	return reply.Reply{Verb: reply.Defer, Code: code, Enhanced: enhanced, Text: "later"}
}

func rejection(code, enhanced, text string) reply.Reply {
	return reply.Reply{Verb: reply.Reject, Code: code, Enhanced: enhanced, Text: text}
}

// TestCheckedCodes answers a reply of mixed classes with a temporary failure.
func TestCheckedCodes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply.Reply
		good  bool
	}{
		{"pass", reply.Reply{}, true},
		{"pass with header", reply.Reply{Header: "mx.example.net; iprev=pass", AuthservID: "mx.example.net", Ref: ref}, true},
		{"defer", deferral("450", "4.7.25"), true},
		{"defer, longest codes", deferral("451", "4.123.456"), true},
		{"reject", rejection("550", "5.7.25", "no PTR record"), true},
		{"defer with a permanent code", deferral("550", "4.7.25"), false},
		{"defer with a permanent detail", deferral("451", "5.7.25"), false},
		{"defer with codes of a reject", deferral("550", "5.7.25"), false},
		{"reject with a temporary code", rejection("450", "5.7.25", "x"), false},
		{"reject with a temporary detail", rejection("550", "4.7.25", "x"), false},
		{"no codes", reply.Reply{Verb: reply.Reject}, false},
		{"no enhanced code", rejection("550", "", "x"), false},
		{"short code", rejection("55", "5.7.25", "x"), false},
		{"long code", rejection("5500", "5.7.25", "x"), false},
		{"line end in a code", rejection("5\n0", "5.7.25", "x"), false},
		{"letters in a code", rejection("5xx", "5.7.25", "x"), false},
		{"line end in a detail", rejection("550", "5.7\n.25", "x"), false},
		{"letters in a detail", rejection("550", "5.7.x", "x"), false},
		{"no detail", rejection("550", "5.7", "x"), false},
		{"empty detail", rejection("550", "5.7.", "x"), false},
		{"long detail", rejection("550", "5.7.2525", "x"), false},
		{"more numbers", rejection("550", "5.7.25.", "x"), false},
		{"unknown verb", reply.Reply{Verb: 99, Code: "450", Enhanced: "4.7.25", Text: "x"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.reply
			if !tt.good {
				want = reply.NotNow()
			}
			if got, ok := tt.reply.Checked(); got != want || ok != tt.good {
				t.Errorf("%+v, %v; want %+v, %v", got, ok, want, tt.good)
			}
		})
	}
}

// TestCheckedTexts wants a line of printable ASCII, whatever the text.
func TestCheckedTexts(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "100% of it", "100% of it"},
		{"empty", "", ""},
		{"line ends", "See\r\n250 OK\n\naction=OK", "See??250 OK??action=OK"},
		{"controls", "a\tb\x00c\x7f", "a?b?c?"},
		{"not ASCII", "na\u00efve \xff", "na?ve ?"},
		{"just fits", strings.Repeat("x", 489), strings.Repeat("x", 489)},
		{"too long", strings.Repeat("x", 490), strings.Repeat("x", 486) + "..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := rejection("550", "5.7.25", tt.text).Checked()
			if got.Text != tt.want || !ok {
				t.Errorf("%q, %v; want %q", got.Text, ok, tt.want)
			}
			if n := len(got.Line()); n > 500 {
				t.Errorf("a line of %d octets", n)
			}
		})
	}
}

// TestCheckedPass bounds what goes with a Pass: the field, and the warning.
func TestCheckedPass(t *testing.T) {
	const longest = 998 - len("Authentication-Results: ")
	for _, tt := range []struct{ name, header, warning, wantHeader, wantWarning string }{
		{"line ends", "a\n\naction=OK", "b\r\nc", "a??action=OK", "b??c"},
		{"just fit", strings.Repeat("h", longest), strings.Repeat("w", 500), strings.Repeat("h", longest), strings.Repeat("w", 500)},
		{"too long", strings.Repeat("h", longest+1), strings.Repeat("w", 501), "", strings.Repeat("w", 497) + "..."},
	} {
		got, ok := reply.Reply{Header: tt.header, Warning: tt.warning}.Checked()
		if got.Header != tt.wantHeader || got.Warning != tt.wantWarning || !ok {
			t.Errorf("%s: %+v, %v", tt.name, got, ok)
		}
	}
}

// TestNotNow wants the last resort to pass its own check.
func TestNotNow(t *testing.T) {
	if got, ok := reply.NotNow().Checked(); got != reply.NotNow() || !ok || got.Verb != reply.Defer {
		t.Errorf("%+v, %v", got, ok)
	}
}
