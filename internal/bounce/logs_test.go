package bounce_test

import (
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/bounce"
)

// TestLogs reads lines of mail logs. In the log of the sending server the address
// beside the reply is the receiver's; in that of a server which refuses, the client's.
func TestLogs(t *testing.T) {
	const said = "550 5.7.25 [192.0.2.25] The IP address sending this message does not have a PTR record"
	for _, tt := range []struct {
		name, text                string
		format, rule, address     string
		found                     bounce.Found
		receiver, receiverAddress string
		helo, ptr                 string
		recipient, domain         string
	}{
		{
			"Postfix refuses", "Jan  2 03:04:05 mx postfix/smtpd[99]: NOQUEUE: reject: RCPT from unknown[192.0.2.25]: 450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.25]; from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<mta5.example.net>",
			"postfix", "postfix-nohost", "192.0.2.25", bounce.InLog, "", "", "mta5.example.net", "", "example.org", "example.net",
		},
		{
			"Postfix refuses a HELO name", "2026-01-02T03:04:05.123456+01:00 mx postfix/smtpd[99]: NOQUEUE: reject: RCPT from mail.example.net[2001:db8::25]: 450 4.7.1 <mta5.example.net>: Helo command rejected: Host not found; from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<mta5.example.net>",
			"postfix", "postfix-helo-nx", "2001:db8::25", bounce.InLog, "", "", "mta5.example.net", "mail.example.net", "example.org", "example.net",
		},
		{
			"Postfix would have refused", "2026-01-02T03:04:05Z mx postfix/smtpd[99]: NOQUEUE: reject_warning: RCPT from unknown[192.0.2.25]: 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.25]; from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<x>",
			"postfix", "postfix-noptr", "192.0.2.25", bounce.InLog, "", "", "x", "", "example.org", "example.net",
		},
		{
			"Postfix warns", "Jan  2 03:04:05 mx postfix/smtpd[99]: warning: hostname mail.example.net does not resolve to address 192.0.2.25: Name or service not known",
			"postfix", "pf-warn-fcrdns", "192.0.2.25", bounce.InLog, "", "", "", "mail.example.net", "", "",
		},
		{
			"Postfix warns, in the old words", "Jan 12 03:04:05 mx postfix/smtpd[99]: warning: 192.0.2.25: address not listed for hostname mail.example.net",
			"postfix", "pf-warn-fcrdns-old", "192.0.2.25", bounce.InLog, "", "", "", "mail.example.net", "", "",
		},
		{
			"Postfix is refused at the greeting", "<22>Jan  2 03:04:05 mail postfix/smtp[99]: 4F1A2B3C4D: host mx.example.org[198.51.100.9] refused to talk to me: 554-mx.example.org 554 Bad DNS PTR resource record.",
			"postfix", "gmx-webde", "", "", "mx.example.org", "198.51.100.9", "", "", "", "",
		},
		{
			"Postfix bounces", "Jan  2 03:04:05 mail postfix/smtp[99]: 4F1A2B3C4D: to=<b@example.org>, relay=mx.example.org[2001:db8:f::9]:25, delay=1.2, delays=0.1/0/0.9/0.2, dsn=5.7.25, status=bounced (host mx.example.org[2001:db8:f::9] said: " + said + " (in reply to end of DATA command))",
			"postfix", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "2001:db8:f::9", "", "", "example.org", "",
		},
		{
			"Postfix, the process only", "postfix/smtp[99]: 4F1A2B3C4D: host mx.example.org[198.51.100.9] said: " + said,
			"postfix", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "", "",
		},
		{
			"RFC 5424", "<22>1 2026-01-02T03:04:05.003Z mail postfix 99 - - 4F1A2B3C4D: host mx.example.org[198.51.100.9] said: " + said,
			"postfix", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "", "",
		},
		{
			"Exim refuses", "2026-01-02 03:04:06 H=(dsl-25.example.net) [192.0.2.25]:4321 F=<a@example.net> rejected RCPT <b@example.org>: host lookup failed for reverse lookup check (failed to find host name from IP address)",
			"exim", "exim-verify", "192.0.2.25", bounce.InLog, "", "", "dsl-25.example.net", "", "example.org", "example.net",
		},
		{
			"Exim refuses, through syslog", "Jan  2 03:04:06 mx exim[99]: 2026-01-02 03:04:06 H=mail.example.net (helo.example.net) [192.0.2.25] F=<a@example.net> temporarily rejected RCPT <b@example.org>: Reverse DNS required",
			"exim", "rdns-words", "192.0.2.25", bounce.InLog, "", "", "helo.example.net", "mail.example.net", "example.org", "example.net",
		},
		{
			"Exim finds no name", "2026-01-02 03:04:07 no host name found for IP address 192.0.2.25",
			"exim", "ex-nohost", "192.0.2.25", bounce.InLog, "", "", "", "", "", "",
		},
		{
			"Exim fails", "2026-01-02 03:04:08 +0100 [99] 1tABCD-000000012Xy-3ZzZ ** b@example.org R=dnslookup T=remote_smtp H=mx.example.org [198.51.100.9] X=TLS1.3:A:256 CV=yes: SMTP error from remote mail server after RCPT TO:<b@example.org>: " + said,
			"exim", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "example.org", "",
		},
		{
			"Exim defers", `2026-01-02 03:04:08 1tABCD-000012-3Z == b@example.org R=dnslookup T=remote_smtp defer (-45) H=mx.example.org [198.51.100.9]: SMTP error from remote mail server after end of data: 421-4.7.0 [192.0.2.25] The IP address sending this message does not have a\n421-4.7.0 PTR record\n421 4.7.0 x`,
			"exim", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "example.org", "",
		},
		{
			"Sendmail refuses", "Jan  2 03:04:05 mx sm-mta[99]: x12ABCDE012346: ruleset=check_relay, arg1=[192.0.2.25], arg2=192.0.2.25, relay=[192.0.2.25], reject=550 5.7.1 Fix reverse DNS for 192.0.2.25",
			"sendmail", "fix-reverse-dns", "192.0.2.25", bounce.InLog, "", "", "", "", "", "",
		},
		{
			"Sendmail refuses a forged name", "Jan  2 03:04:05 mx sendmail[99]: x12ABCDE012346: ruleset=check_relay, arg1=mail.example.net, arg2=192.0.2.25, relay=mail.example.net [192.0.2.25] (may be forged), reject=451 4.1.8 Possibly forged hostname for 192.0.2.25",
			"sendmail", "sendmail-forged", "192.0.2.25", bounce.InLog, "", "", "", "mail.example.net", "", "",
		},
		{
			"Sendmail is refused", "Jan  2 03:04:05 mail sendmail[99]: x12ABCDE012347: to=<b@example.org>, ctladdr=<a@example.net> (1000/1000), delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120, relay=mx.example.org. [198.51.100.9], dsn=4.0.0, stat=Deferred: 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.25]",
			"sendmail", "postfix-noptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "example.org", "",
		},
		{
			"OpenSMTPD is refused", `Jan  2 03:04:05 mail smtpd[99]: 0123456789abcdef mta delivery evpid=fedcba9876543210 from=<a@example.net> to=<b@example.org> rcpt=<-> source="192.0.2.25" relay="198.51.100.9 (mx.example.org)" delay=1s result="PermFail" stat="550 5.7.1 Fix reverse DNS for 192.0.2.25"`,
			"opensmtpd", "fix-reverse-dns", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", "", "", "example.org", "example.net",
		},
		{
			"Exchange is refused", "#Software: Microsoft Exchange Server\n#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context\n" +
				"2026-01-02T03:04:06.400Z,Internet,08D1234567890ABD,7,10.0.0.5:49200,198.51.100.9:25,>,EHLO mail.example.net,\n" +
				"2026-01-02T03:04:06.456Z,Internet,08D1234567890ABD,8,10.0.0.5:49200,198.51.100.9:25,<,\"550-5.7.25 [192.0.2.25] The IP address sending this message does not have a\",\n" +
				"2026-01-02T03:04:06.456Z,Internet,08D1234567890ABD,9,10.0.0.5:49200,198.51.100.9:25,<,\"550 5.7.25 PTR record, sorry\",\n",
			"exchange", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "", "198.51.100.9", "mail.example.net", "", "", "",
		},
		{
			"Exchange refuses", "2026-01-02T03:04:05.100Z,SRV\\Default Frontend SRV,08D1234567890ABC,2,10.0.0.5:25,192.0.2.25:49152,<,EHLO mail.example.net,\n" +
				"2026-01-02T03:04:05.123Z,SRV\\Default Frontend SRV,08D1234567890ABC,4,10.0.0.5:25,192.0.2.25:49152,>,550 5.7.1 no reverse dns entry,\n",
			"exchange", "rdns-words", "192.0.2.25", bounce.InLog, "", "", "mail.example.net", "", "", "",
		},
		{
			"hMailServer is refused", "\"SMTPC\"\t4936\t27\t\"2026-01-02 03:04:05.001\"\t\"198.51.100.9\"\t\"SENT: EHLO mail.example.net\"\n" +
				"\"SMTPC\"\t4936\t27\t\"2026-01-02 03:04:05.123\"\t\"198.51.100.9\"\t\"RECEIVED: 550-5.7.25 [192.0.2.25] The IP address sending this message does not have a[nl]550 5.7.25 PTR record.\"",
			"hmailserver", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "", "198.51.100.9", "mail.example.net", "", "", "",
		},
		{
			"hMailServer refuses", "\"SMTPD\"\t4936\t27\t\"2026-01-02 03:04:05.123\"\t\"192.0.2.25\"\t\"SENT: 550 Rejected: no valid rDNS/PTR record found\"",
			"hmailserver", "hmailserver", "192.0.2.25", bounce.InLog, "", "", "", "", "", "",
		},
		{
			"MDaemon refuses", "Fri 2026-01-02 03:04:05.123: Accepting SMTP connection from [192.0.2.25:49152] to [10.0.0.5:25]\nFri 2026-01-02 03:04:05.200: --> 501 no PTR record found\n",
			"mdaemon", "rdns-words", "192.0.2.25", bounce.InLog, "", "", "", "", "", "",
		},
		{
			"the line that counts, among others", "Jan  2 03:04:01 mail postfix/qmgr[9]: 4F1A2B3C4D: from=<a@example.net>, size=1, nrcpt=1 (queue active)\n" +
				"Jan  2 03:04:02 mail postfix/smtp[99]: AA1A2B3C4D: host mx.example.org[198.51.100.9] said: 450 4.2.0 Greylisted\n" +
				"Jan  2 03:04:05 mail postfix/smtp[99]: 4F1A2B3C4D: host mx.example.com[203.0.113.9] said: " + said + "\n",
			"postfix", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.com", "203.0.113.9", "", "", "", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t).Read(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string][2]string{
				"format": {got.Format, tt.format}, "rule": {got.Rule, tt.rule}, "found": {string(got.Found), string(tt.found)},
				"address": {valid(got.Address), tt.address}, "receiver address": {valid(got.ReceiverAddress), tt.receiverAddress},
				"receiver": {got.Receiver.String(), tt.receiver}, "HELO": {got.Helo.String(), tt.helo}, "PTR": {got.PTR.String(), tt.ptr},
				"recipient": {got.Recipient.String(), tt.recipient}, "domain": {got.Domain.String(), tt.domain},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
				}
			}
			if doubtful := strings.Contains(strings.Join(got.Notes, " "), "MDaemon"); doubtful != (tt.format == "mdaemon") {
				t.Errorf("notes %q", got.Notes)
			}
		})
	}
}
