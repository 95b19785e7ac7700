package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The one mailbox of Postfix's world takes mail for every local part of
// Domain. Login and Password authenticate (RFC 4954) where a service allows it.
const (
	Domain   = "example.org"
	Hostname = "mx.example.org"
	Login    = "alice@example.org"
	Password = "correct horse"
)

// Service is one smtpd(8) of Postfix: a port and the settings that differ from
// main.cf, "name = value".
type Service struct {
	Port    uint16
	Options []string
}

// Postfix is a running Postfix.
type Postfix struct {
	w       *World
	process *Process
}

const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/maillog
maillog_file_prefixes = %[1]s
myhostname = mx.example.org
mydomain = example.org
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = all
inet_protocols = all
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
default_transport = error:nothing leaves this world
smtpd_relay_restrictions = reject_unauth_destination
smtpd_helo_required = yes
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = none
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = %[1]s/postfix/sasl
smtpd_sasl_local_domain = example.org
smtpd_sasl_security_options = noanonymous
smtpd_policy_service_retry_delay = 1s
in_flow_delay = 0
`

const masterCF = `cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`

const saslConf = `pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: %s
`

// StartPostfix runs Postfix in the server namespace with the given services.
func (w *World) StartPostfix(t testing.TB, services ...Service) *Postfix {
	t.Helper()
	w.mailDirs(t)
	w.sasl(t)
	master := masterCF
	for _, s := range services {
		master += s.line()
	}
	main := fmt.Sprintf(mainCF, w.Dir, ownerOf(t, w.Path("mail"), "%u"), ownerOf(t, w.Path("mail"), "%g"))
	w.write(t, main, "postfix", "main.cf")
	w.write(t, master, "postfix", "master.cf")
	p := &Postfix{w: w}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("maillog:\n%s", tail(p.Log(), 16<<10))
		}
	})
	p.process = w.Start(t, "postfix", "postfix", "-c", w.Path("postfix"), "start-fg")
	for _, s := range services {
		w.waitListening(t, p.process, "tcp", fmt.Sprintf("%s:%d", Server4, s.Port))
	}
	return p
}

// line is the service's entry in master.cf(5).
func (s Service) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d inet n - n - - smtpd\n", s.Port)
	for _, option := range s.Options {
		fmt.Fprintf(&b, "    -o { %s }\n", option)
	}
	return b.String()
}

// mailDirs makes the directories that Postfix wants to own, and the mailbox,
// which belongs to nobody.
func (w *World) mailDirs(t testing.TB) {
	t.Helper()
	for name, owner := range map[string]string{"queue": "root", "data": "postfix", "mail": "nobody"} {
		if err := os.Mkdir(w.Path(name), 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, exec.Command("chown", owner+":", w.Path(name)))
	}
}

// ownerOf formats the owner of a file as stat(1) does.
func ownerOf(t testing.TB, path, format string) string {
	t.Helper()
	return strings.TrimSpace(run(t, exec.Command("stat", "-c", format, path)))
}

// sasl makes the password database with its one user. Debian's Postfix looks
// for smtpd.conf below its configuration, whatever cyrus_sasl_config_path says.
func (w *World) sasl(t testing.TB) {
	t.Helper()
	db := w.Path("postfix", "sasl", "sasldb2")
	w.write(t, fmt.Sprintf(saslConf, db), "postfix", "sasl", "smtpd.conf")
	user, realm, _ := strings.Cut(Login, "@")
	cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", db, "-u", realm, user)
	cmd.Stdin = strings.NewReader(Password)
	run(t, cmd)
	run(t, exec.Command("chown", "root:postfix", db))
}

// Log is Postfix's log so far.
func (p *Postfix) Log() string {
	b, err := os.ReadFile(p.w.Path("maillog"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Delivered waits for the message with the given id and returns its text as it
// lies in the mailbox.
func (p *Postfix) Delivered(t testing.TB, id string) string {
	t.Helper()
	var text string
	Eventually(t, 20*time.Second, "delivery of "+id, func() bool {
		files, err := filepath.Glob(p.w.Path("mail", "inbox", "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err == nil && strings.Contains(string(b), id) {
				text = string(b)
				return true
			}
		}
		return false
	})
	return text
}
