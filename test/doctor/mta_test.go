package doctor_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/test/netlab"
)

// mainCF is a Postfix that takes mail for anybody below example.net, and never
// gets any: no examination sends a message.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/maillog
maillog_file_prefixes = %[1]s
mydestination =
mynetworks = 127.0.0.1/32
inet_interfaces = all
inet_protocols = all
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = regexp:%[1]s/domains
virtual_mailbox_base = %[1]s
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = smtp:[127.0.0.1]:9
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
tls_random_source = dev:/dev/urandom
in_flow_delay = 0
max_idle = 1h
myhostname = %[2]s
%[3]s`

const masterCF = `cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`

// domains are those whose recipients Postfix takes, as a regexp_table(5).
const domains = "/(^|\\.)example\\.net$/ ok\n"

// postfixDir makes the directories that Postfix wants to own.
func (s *site) postfixDir(t *testing.T, name string) string {
	t.Helper()
	for dir, owner := range map[string]string{"queue": "root", "data": "postfix"} {
		path := s.Path(name, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, exec.Command("chown", owner+":", path))
	}
	s.write(t, domains, name, "domains")
	t.Cleanup(func() {
		if log, err := os.ReadFile(s.Path(name, "maillog")); err == nil && t.Failed() {
			t.Logf("maillog of %s:\n%s", name, log)
		}
	})
	return s.Path(name)
}

// startFarm runs one Postfix with a service of its own for each host.
func (s *site) startFarm(t *testing.T, hosts []host) {
	t.Helper()
	dir := s.postfixDir(t, "farm")
	master := masterCF
	for _, h := range hosts {
		for _, a := range h.addrs() {
			master += h.service(netip.AddrPortFrom(a, 25), s.certificate(t, h))
		}
	}
	s.write(t, fmt.Sprintf(mainCF, dir, "farm.example.net", ""), "farm", "main.cf")
	s.write(t, master, "farm", "master.cf")
	p := s.Start(t, "farm", "postfix", "-c", dir, "start-fg")
	s.awaitSMTP(t, p, hosts...)
}

// service is the host's entry in master.cf(5).
func (h host) service(at netip.AddrPort, cert string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s inet n - n - - smtpd\n    -o { myhostname = %s }\n", at, strings.TrimSuffix(h.name, "."))
	if cert != "" {
		fmt.Fprintf(&b, "    -o { smtpd_tls_chain_files = %s }\n", cert)
	}
	for _, option := range h.options {
		fmt.Fprintf(&b, "    -o { %s }\n", option)
	}
	return b.String()
}

// startPostfix runs a Postfix whose configuration is in /etc/postfix, as far
// as processes of the namespace can see: recipes apply as they are printed.
func (s *site) startPostfix(t *testing.T, h host, hostname string) {
	t.Helper()
	dir := s.postfixDir(t, "single")
	etc := s.etc("postfix")
	run(t, exec.Command("cp", "-a", "/etc/postfix", etc))
	tls := "smtpd_tls_chain_files = " + s.certificate(t, h) + "\n"
	master := masterCF
	for _, a := range h.addrs() {
		master += fmt.Sprintf("%s inet n - n - - smtpd\n", netip.AddrPortFrom(a, 25))
	}
	writeFile(t, filepath.Join(etc, "main.cf"), fmt.Sprintf(mainCF, dir, hostname, tls))
	writeFile(t, filepath.Join(etc, "master.cf"), master)
	p := s.Start(t, "postfix", "postfix", "start-fg")
	s.awaitSMTP(t, p, h)
}

// debian is where test/setup unpacks the packages that apt can't install
// beside Postfix.
func debian(t *testing.T, elem ...string) string {
	t.Helper()
	root, err := filepath.Abs("../../bin/debian")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

const eximConf = `%[2]s
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%slog
pid_file_path = %[1]s/exim.pid
local_interfaces = %[3]s : %[4]s
daemon_smtp_ports = 25
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
domainlist local = *.example.net
acl_smtp_rcpt = rcpt
tls_advertise_hosts = *
tls_certificate = %[5]s
tls_privatekey = %[5]s
begin acl
rcpt:
  accept domains = +local
  deny message = relay not permitted
begin routers
sink:
  driver = redirect
  data = :blackhole:
`

// startExim runs an Exim whose configuration begins with the given line.
func (s *site) startExim(t *testing.T, h host, first string) *netlab.Process {
	t.Helper()
	for _, dir := range []string{"spool", "log"} {
		if err := os.MkdirAll(s.Path("exim", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := s.write(t, fmt.Sprintf(eximConf, s.Path("exim"), first, h.addr, twin(h.addr), s.certificate(t, h)), "exim", "exim.conf")
	run(t, exec.Command("chown", "-R", fmt.Sprint(eximUser), s.Path("exim")))
	run(t, exec.Command("chown", "root", conf))
	p := s.Start(t, "exim", debian(t, "usr/sbin/exim4"), "-bdf", "-C", conf)
	s.awaitSMTP(t, p, h)
	return p
}

const smtpdConf = `%s
action "drop" relay host smtp://127.0.0.1:9
match from any for domain regex "example.net$" action "drop"
`

// smtpdStart gives OpenSMTPD the places that are compiled into it, in a mount
// namespace which it alone can see.
const smtpdStart = `set -e
mount -t tmpfs none /var/spool
mount -t tmpfs none /var/lib
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
mount --bind "$1" /run
exec "$2" -d -f "$3"
`

// startSMTPD runs an OpenSMTPD with one line for each address to listen on;
// tail is what follows the port. It offers no STARTTLS: with the OpenSSL of
// Debian 12 the OpenSMTPD of Debian 12 brings no session about.
func (s *site) startSMTPD(t *testing.T, h host, tail string) *netlab.Process {
	t.Helper()
	var listen strings.Builder
	for _, a := range h.addrs() {
		fmt.Fprintf(&listen, "listen on %s port 25 %s\n", a, tail)
	}
	conf := s.write(t, fmt.Sprintf(smtpdConf, listen.String()), "smtpd", "smtpd.conf")
	if err := os.MkdirAll(s.Path("smtpd", "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := s.Start(t, "smtpd", "sh", "-c", smtpdStart, "sh", s.Path("smtpd", "run"), debian(t, "usr/sbin/smtpd"), conf)
	s.awaitSMTP(t, p, h)
	return p
}

// awaitSMTP returns when all hosts have greeted, each where the doctor will ask.
// A process that has to be started first is late, as if it were on purpose.
func (s *site) awaitSMTP(t *testing.T, p *netlab.Process, hosts ...host) {
	t.Helper()
	var conns []net.Conn
	for _, h := range hosts {
		target := netip.AddrPortFrom(twin(h.addr), 25).String()
		netlab.Eventually(t, 20*time.Second, "a connection to "+target, func() bool {
			if p.Exited() {
				t.Fatalf("the mail server at %s ended:\n%s", target, p.Log())
			}
			conn, err := s.Server.Dial(t.Context(), netip.Addr{}, "tcp", target)
			if err == nil {
				conns = append(conns, conn)
			}
			return err == nil
		})
	}
	for _, conn := range conns {
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 512)); err != nil {
			t.Fatalf("no greeting from %s: %v", conn.RemoteAddr(), err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
