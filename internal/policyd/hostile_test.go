package policyd_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
)

// The names of the subtests begin with the rows of the list of hostile inputs.

func TestHostileRequests(t *testing.T) {
	many := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("attribute_%d=x", i))
		}
		return lines
	}
	tests := []struct{ name, input, out, trouble string }{
		{"P001 without request", request("-request"), "", "no request attribute"},
		{"P002 without client_address", request("-client_address"), dunno, ""},
		{"P003 without protocol_state", request("-protocol_state"), dunno, ""},
		{"P004 without helo_name", request("-helo_name"), rejected, ""},
		{"P005 without instance", request("-instance"), rejected, ""},
		{"P006 request junk", request("request=junk"), "", `not smtpd_access_policy: "junk"`},
		{"P007 request with space", request("request=smtpd_access_policy "), "", "not smtpd_access_policy"},
		{"P008 request empty", request("request="), "", "not smtpd_access_policy"},
		{"P009 request twice", request("request=smtpd_access_policy", "request=junk"), "", "not smtpd_access_policy"},
		{"P009 request twice alike", request("request=smtpd_access_policy", "request=smtpd_access_policy"), rejected, ""},
		{"P023 line without =", request("queue_id"), "", `line without =: "queue_id"`},
		{"P024 empty name", request("=x"), "", `not an attribute name: "=x`},
		{"P025 NUL in value", request("helo_name=a\x00b"), rejected, ""},
		{"P025 NUL in name", request("helo\x00name=a"), "", `not an attribute name: "helo\\000name`},
		{"P026 0xFF in value", request("helo_name=a\xffb"), rejected, ""},
		{"P026 0xFF in name", request("\xff=a"), "", `not an attribute name: "\\255=a`},
		{"P027 bare CR", request("helo_name=a\rb"), rejected, ""},
		{"P028 line ending CR LF", request("queue_id=x\r"), rejected, ""},
		{"P028 every line ending CR LF", strings.ReplaceAll(request(), "\n", "\r\n"), "", "not smtpd_access_policy"},
		{"P029 line of 2049 octets", request("queue_id=" + strings.Repeat("x", 2040)), rejected, ""},
		{"P030 line of 1 MiB without newline", request() + "queue_id=" + strings.Repeat("x", 1<<20), "", "more than 65536 octets"},
		{"P032 blank line first", "\n" + request(), "", "no request attribute"},
		{"P033 100 blank lines", strings.Repeat("\n", 100), "", "no request attribute"},
		{"P034 blank line with spaces", strings.TrimSuffix(request(), "\n") + "  \n", "", "not an attribute name"},
		{"P035 100 unknown attributes", request(many(100)...), rejected, ""},
		{"P036 100000 unknown attributes", request(many(100000)...), "", "more than 65536 octets"},
		{"P037 future attributes", request("tls_sni=mx.example.net", "policy_context=x", "from_2030=y"), rejected, ""},
		{"P114 attribute name of 10 KiB", request(strings.Repeat("n", 10<<10) + "=x"), "", "not an attribute name"},
		{"P115 format directives", request("helo_name=%s%s%n", "sender=%{x}"), rejected, ""},
		{"P116 other letter case", request("-client_address", "CLIENT_ADDRESS=198.51.100.7"), dunno, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bubble(t, tt.input)
			if tt.trouble == "" {
				wantAnswer(t, o, tt.out)
				return
			}
			// What came before the bad line is answered.
			if strings.HasPrefix(tt.input, request()) {
				if o.out != rejected {
					t.Errorf("answer %q to the request in front", o.out)
				}
				o.out = ""
			}
			wantDisconnect(t, o, tt.trouble)
		})
	}
}

func TestHostileAddress(t *testing.T) {
	unknown := netip.Addr{}
	v6 := netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		name, value string
		want        netip.Addr
	}{
		{"P010 empty", "", unknown},
		{"P011 unknown", "unknown", unknown},
		{"P012 tagged IPv6", "IPv6:2001:db8::1", v6},
		{"P013 brackets", "[198.51.100.7]", unknown},
		{"P014 port", "198.51.100.7:25", unknown},
		{"P015 leading zeros", "198.51.100.007", unknown},
		{"P016 hexadecimal", "0xC6336407", unknown},
		{"P017 leading blank", " 198.51.100.7", unknown},
		{"P018 IPv4-mapped", "::ffff:198.51.100.7", client},
		{"P019 zone", "fe80::1%eth0", unknown},
		{"P020 network", "198.51.100.7/32", unknown},
		{"P021 300 octets", strings.Repeat("1", 300), unknown},
		{"P021 300 octets of address", "198.51.100.7" + strings.Repeat(" ", 288), unknown},
		{"P022 two different values", "198.51.100.7\nclient_address=198.51.100.8", unknown},
		{"P022 the same value twice", "198.51.100.7\nclient_address=198.51.100.7", client},
		{"plain IPv6", "2001:db8::1", v6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bubble(t, request("client_address="+tt.value))
			if len(o.conns) != 1 || o.conns[0].Client != tt.want {
				t.Fatalf("asked %+v, want the client %v", o.conns, tt.want)
			}
			out, noAddress := rejected, int64(0)
			if !tt.want.IsValid() {
				out, noAddress = dunno, 1
			}
			wantAnswer(t, o, out)
			if want := (policyd.Stats{Requests: 1, Asked: 1, NoAddress: noAddress}); o.stats != want {
				t.Errorf("Stats() = %+v, want %+v", o.stats, want)
			}
		})
	}
}

func TestHostileStages(t *testing.T) {
	stages := []struct {
		row, state string
		stage      facts.Stage
	}{
		{"P045", "CONNECT", facts.Connect},
		{"P046", "EHLO", facts.Ehlo},
		{"P047", "HELO", facts.Ehlo},
		{"P048", "MAIL", facts.Mail},
		{"P049", "RCPT", facts.Rcpt},
		{"P050", "DATA", facts.Data},
		{"P051", "END-OF-MESSAGE", facts.EndOfMessage},
		{"P052", "VRFY", ""},
		{"P053", "ETRN", ""},
		{"P054", "XYZZY", ""},
		{"P054 other case", "rcpt", ""},
		{"P055 empty", "", ""},
	}
	for _, configured := range []facts.Stage{"", facts.Connect, facts.Ehlo, facts.Mail, facts.Rcpt, facts.Data, facts.EndOfMessage} {
		at := configured
		if at == "" {
			at = facts.Rcpt
		}
		for _, tt := range stages {
			t.Run(fmt.Sprintf("%s %s asked at %q", tt.row, tt.state, configured), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := talk(t, &policyd.Handler{Stage: configured}, 0, request("protocol_state="+tt.state))
					if tt.stage != at {
						wantAnswer(t, o, dunno)
						if len(o.conns) != 0 {
							t.Errorf("asked %+v", o.conns)
						}
						return
					}
					wantAnswer(t, o, rejected)
					if len(o.conns) != 1 || o.conns[0].Stage != tt.stage {
						t.Errorf("asked %+v", o.conns)
					}
				})
			})
		}
	}
}

// None of these attributes may change the answer to a stranger.
func TestHostileAttributes(t *testing.T) {
	tests := []struct{ name, lines string }{
		{"P058 ccert_fingerprint", "ccert_fingerprint=C2:9D:F4:87:71:73:73:D9:18:E7:C2:F3:C1:DA:6E:04"},
		{"P059 encryption_protocol", "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256"},
		{"P060 reverse_client_name unknown", "reverse_client_name=unknown"},
		{"P061 reverse_client_name matches", "reverse_client_name=mail.example.org"},
		{"P062 reverse_client_name forged", "reverse_client_name=mx.example.net"},
		{"P063 reverse_client_name script", "reverse_client_name=<script>"},
		{"P064 reverse_client_name with %0a", "reverse_client_name=a%0aaction=OK"},
		{"P065 reverse_client_name 255 octets", "reverse_client_name=" + strings.Repeat("a", 255)},
		{"P080 numbers below zero", "recipient_count=-1\nsize=-1"},
		{"P081 numbers too large", "recipient_count=99999999999\nsize=9223372036854775808"},
		{"P082 no numbers", "recipient_count=x\nsize=1e9"},
	}
	plain := bubble(t, request())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bubble(t, request(strings.Split(tt.lines, "\n")...))
			wantAnswer(t, o, rejected)
			if len(o.conns) != 1 || o.conns[0] != plain.conns[0] {
				t.Errorf("asked %+v, want %+v", o.conns, plain.conns)
			}
		})
	}
}

func TestHostileValues(t *testing.T) {
	helo := func(c facts.Conn) string { return c.Helo.Raw() }
	sender := func(c facts.Conn) string { return c.Sender.Raw() }
	long := strings.Repeat("a", 512)
	tests := []struct {
		name, line, want string
		get              func(facts.Conn) string
	}{
		{"P057 sasl_username", "sasl_username=user", "user", func(c facts.Conn) string { return c.AuthUser.Raw() }},
		{"P057 sasl_username of a blank", "sasl_username= ", "", func(c facts.Conn) string { return c.AuthUser.Raw() }},
		{"P066 client_name unknown", "client_name=unknown", "unknown", func(c facts.Conn) string { return c.MTAName.Raw() }},
		{"P067 helo_name empty", "helo_name=", "", helo},
		{"P068 helo_name literal", "helo_name=[198.51.100.7]", "[198.51.100.7]", helo},
		{"P069 helo_name with blank", "helo_name=a b", "a b", helo},
		{"P070 helo_name 8-bit", "helo_name=\xe9\xff", "\xe9\xff", helo},
		{"P071 helo_name 512 octets", "helo_name=" + long, long[:255], helo},
		{"P072 helo_name jndi", "helo_name=${jndi:x}", "${jndi:x}", helo},
		{"P073 helo_name like an action", "helo_name=action=OK", "action=OK", helo},
		{"P074 sender empty", "sender=", "", sender},
		{"P075 sender SMTPUTF8", "sender=jürgen@example.org", "jürgen@example.org", sender},
		{"P076 sender with = and blanks", "sender=\"a = b\"@example.org", "\"a = b\"@example.org", sender},
		{"P077 sender with an escaped line end", `sender=a@b\naction=OK`, `a@b\naction=OK`, sender},
		{"P078 sender 320 octets", "sender=" + long[:320], long[:255], sender},
		{"P079 sender 10 KiB", "sender=" + strings.Repeat(long, 20), long[:255], sender},
		{"P083 client_port 0", "client_port=0", "0", clientPort},
		{"P084 client_port 65536", "client_port=65536", "0", clientPort},
		{"P085 client_port x", "client_port=x", "0", clientPort},
		{"P086 stress", "stress=yes", "true", func(c facts.Conn) string { return fmt.Sprint(c.Stress) }},
		{"P086 no stress", "stress=", "false", func(c facts.Conn) string { return fmt.Sprint(c.Stress) }},
		{"server_address without server_port", "server_port=", "192.0.2.25:0", func(c facts.Conn) string { return c.Server.String() }},
		{"server_address unknown", "server_address=unknown", "invalid AddrPort", func(c facts.Conn) string { return c.Server.String() }},
		{"policy_context", "policy_context=submission", "submission", func(c facts.Conn) string { return c.Daemon.Raw() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bubble(t, request(tt.line))
			out := rejected
			if tt.line == "sasl_username=user" {
				out = dunno
			}
			wantAnswer(t, o, out)
			if len(o.conns) != 1 || tt.get(o.conns[0]) != tt.want || !o.conns[0].HeloKnown {
				t.Errorf("asked %+v, want %q", o.conns, tt.want)
			}
		})
	}
}

func clientPort(c facts.Conn) string { return fmt.Sprint(c.ClientPort) }

func TestHeloKnown(t *testing.T) {
	for _, tt := range []struct {
		stage facts.Stage
		line  string
		want  bool
	}{
		{facts.Rcpt, "helo_name=", true},
		{facts.Rcpt, "-helo_name", false},
		{facts.Connect, "helo_name=", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := talk(t, &policyd.Handler{Stage: tt.stage}, 0, request(tt.line, "protocol_state="+string(tt.stage)))
			if len(o.conns) != 1 || o.conns[0].HeloKnown != tt.want {
				t.Errorf("%s, %s: asked %+v", tt.stage, tt.line, o.conns)
			}
		})
	}
}

func TestHostileGarbage(t *testing.T) {
	binary := make([]byte, 1024)
	for i := range binary {
		binary[i] = byte(i*131 + 129)
	}
	for _, tt := range []struct{ name, input string }{
		{"P093 HTTP", "GET / HTTP/1.1\r\nHost: mx.example.net\r\n\r\n"},
		{"P094 TLS ClientHello", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"},
		{"P095 SSH", "SSH-2.0-OpenSSH_9.6\r\n"},
		{"P096 PROXY v2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"},
		{"P096 PROXY v1", "PROXY TCP4 198.51.100.7 192.0.2.25 40001 25\r\n" + request()},
		{"P097 SMTP", "EHLO mail.example.org\r\n"},
		{"P098 binary 1 KiB", string(binary)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := bubble(t, tt.input)
			wantDisconnect(t, o, "not an attribute name")
			if len(o.conns) != 0 {
				t.Errorf("asked %+v", o.conns)
			}
		})
	}
}

func TestHostileSplits(t *testing.T) {
	whole := request()
	var octets []string
	for i := range len(whole) {
		octets = append(octets, whole[i:i+1])
	}
	t.Run("P038 per octet", func(t *testing.T) { wantAnswer(t, bubble(t, octets...), rejected) })
	t.Run("P039 at every offset", func(t *testing.T) {
		for i := 1; i < len(whole); i++ {
			wantAnswer(t, bubble(t, whole[:i], whole[i:]), rejected)
		}
	})
	paused := func(t *testing.T, pause time.Duration, pieces ...string) (o outcome) {
		synctest.Test(t, func(t *testing.T) { o = talk(t, &policyd.Handler{}, pause, pieces...) })
		return o
	}
	t.Run("P040 one pause of 5 s", func(t *testing.T) {
		wantAnswer(t, paused(t, 5*time.Second, whole[:9], whole[9:]), rejected)
	})
	t.Run("P040 three pauses of 5 s", func(t *testing.T) {
		wantDisconnect(t, paused(t, 5*time.Second, whole[:9], whole[9:20], whole[20:30], whole[30:]), "request incomplete: read pipe: i/o timeout")
	})
	t.Run("P041 one octet each second", func(t *testing.T) {
		wantDisconnect(t, paused(t, time.Second, octets...), "request incomplete: read pipe: i/o timeout")
	})
	t.Run("P041 behind a whole request", func(t *testing.T) {
		o := paused(t, time.Second, append([]string{whole + whole[:9]}, octets[9:]...)...)
		if o.out != rejected {
			t.Errorf("answer %q to the request in front", o.out)
		}
		o.out = ""
		wantDisconnect(t, o, "request incomplete: read pipe: i/o timeout")
	})
}

func TestHostilePipelines(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
	}{{"P042 2 requests", 2}, {"P043 100 requests", 100}, {"P044 10000 requests", 10000}} {
		t.Run(tt.name, func(t *testing.T) {
			var in, out strings.Builder
			for i := range tt.n {
				if i%3 == 0 {
					in.WriteString(request("protocol_state=MAIL"))
					out.WriteString(dunno)
				} else {
					in.WriteString(request())
					out.WriteString(rejected)
				}
			}
			wantAnswer(t, bubble(t, in.String()), out.String())
		})
	}
}
