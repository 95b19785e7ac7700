package policyd_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

func answering(r reply.Reply) *policyd.Handler {
	return &policyd.Handler{Ask: func(context.Context, facts.Conn) reply.Reply { return r }}
}

func rejecting(text string) reply.Reply {
	return reply.Reply{Verb: reply.Reject, Code: "550", Enhanced: "5.7.25", Text: text}
}

func TestAnswers(t *testing.T) {
	const header = "gate.example.net; iprev=pass policy.iprev=198.51.100.7 (mail.example.org)"
	tests := []struct {
		name  string
		reply reply.Reply
		want  string
	}{
		{"pass", reply.Reply{}, "DUNNO"},
		{"pass with header", reply.Reply{Header: header}, "PREPEND Authentication-Results: " + header},
		{"warning", reply.Reply{Warning: "would reject: no PTR record"}, "WARN would reject: no PTR record"},
		{"warning before header", reply.Reply{Warning: "would reject", Header: header}, "WARN would reject"},
		{
			"P092 trouble in DNS",
			reply.Reply{Verb: reply.Defer, Code: "451", Enhanced: "4.7.25", Text: "Please try again later"},
			"451 4.7.25 Please try again later",
		},
		{"reject", rejecting("No PTR record"), "550 5.7.25 No PTR record"},
		{
			"reject before warning and header",
			reply.Reply{Verb: reply.Reject, Code: "550", Enhanced: "5.7.25", Text: "No", Warning: "w", Header: header},
			"550 5.7.25 No",
		},
		{"P087 newline in the link", rejecting("See https://gate.example.net/r/1\n\naction=OK"), "550 5.7.25 See https://gate.example.net/r/1??action=OK"},
		{"P088 LF in a PTR name", rejecting("mail\n.example.org"), "550 5.7.25 mail?.example.org"},
		{"P088 LF in a header", reply.Reply{Header: "a\n\naction=OK"}, "PREPEND Authentication-Results: a??action=OK"},
		{"P088 CR LF in a warning", reply.Reply{Warning: "a\r\nb"}, "WARN a??b"},
		{"P089 600 octets", rejecting(strings.Repeat("x", 600)), "550 5.7.25 " + strings.Repeat("x", 500-11-3) + "..."},
		{"P089 warning of 600 octets", reply.Reply{Warning: strings.Repeat("x", 600)}, "WARN " + strings.Repeat("x", 500-5)},
		{"P089 header of 600 octets", reply.Reply{Header: strings.Repeat("x", 600)}, "DUNNO"},
		{"P090 tab", rejecting("a\tb"), "550 5.7.25 a?b"},
		{"P091 non-ASCII", rejecting("für\x00\x7f"), "550 5.7.25 f?r??"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := talk(t, answering(tt.reply), 0, request())
				wantAnswer(t, o, "action="+tt.want+"\n\n")
			})
		})
	}
}

// A reply of the wrong class is a fault of ours, and no reason to refuse mail.
// What makes one is the business of package reply.
func TestCodesOfTheWrongClass(t *testing.T) {
	for _, r := range []reply.Reply{
		{Verb: reply.Defer, Code: "550", Enhanced: "5.7.25", Text: "x"},
		{Verb: reply.Reject, Code: "5\n0", Enhanced: "5.7.25", Text: "x"},
		{Verb: reply.Reject},
		{Verb: 99, Code: "550", Enhanced: "5.7.25", Text: "x"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := talk(t, answering(r), 0, request()+request())
			if o.out != notNow+notNow || o.closed || o.stats.AsksFailed != 2 || o.stats.Trouble != 0 {
				t.Errorf("answer %q, closed %v, %+v", o.out, o.closed, o.stats)
			}
			if len(o.troubles) != 2 || o.troubles[0].Error() != "policyd: reply whose codes don't fit its verb" {
				t.Errorf("troubles %v", o.troubles)
			}
		})
	}
}

// Postfix collects the headers of all recipients of a mail.
func TestHeaderOnceForEachMail(t *testing.T) {
	one, two := "instance=1.0", "instance=2.0"
	const prepend = "action=PREPEND Authentication-Results: gate.example.net; iprev=pass\n\n"
	tests := []struct {
		name  string
		stage facts.Stage
		in    []string
		want  string
	}{
		{
			"P056 another instance", "",
			[]string{request(one), request(one), request(two), request(two)},
			prepend + dunno + prepend + dunno,
		},
		{"no instance", "", []string{request("instance="), request("-instance")}, prepend + prepend},
		{"another stage between", "", []string{request(one), request(one, "protocol_state=DATA"), request(one)}, prepend + dunno + dunno},
		{"MAIL", facts.Mail, []string{request(one, "protocol_state=MAIL")}, prepend},
		{"DATA", facts.Data, []string{request(one, "protocol_state=DATA")}, prepend},
		// access(5): no mail transaction yet, or its content is complete.
		{"CONNECT", facts.Connect, []string{request(one, "protocol_state=CONNECT")}, dunno},
		{"HELO", facts.Ehlo, []string{request(one, "protocol_state=HELO")}, dunno},
		{"END-OF-MESSAGE", facts.EndOfMessage, []string{request(one, "protocol_state=END-OF-MESSAGE")}, dunno},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := answering(reply.Reply{Header: "gate.example.net; iprev=pass"})
				h.Stage = tt.stage
				wantAnswer(t, talk(t, h, 0, tt.in...), tt.want)
			})
		})
	}
}

// What makes a decision the same for one mail is up to the gate: here each
// question reaches it, with its instance.
func TestInstanceReachesAsk(t *testing.T) {
	t.Run("P113 100 questions about one address", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := answering(reply.Reply{Verb: reply.Defer, Code: "451", Enhanced: "4.7.25", Text: "Please try again later"})
			o := talk(t, h, 0, strings.Repeat(request(), 100))
			wantAnswer(t, o, strings.Repeat("action=451 4.7.25 Please try again later\n\n", 100))
			for _, c := range o.conns {
				if c != o.conns[0] || c.Instance.Raw() != "4f2a.68b1.0" {
					t.Fatalf("asked %+v after %+v", c, o.conns[0])
				}
			}
			if len(o.conns) != 100 {
				t.Errorf("asked %d times", len(o.conns))
			}
		})
	})
}
