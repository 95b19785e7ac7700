package doctor_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mender applies the remedy of a report, as it is printed, and examines again.
// The report is made right before, so that its times count from then, and the
// resolver's cache is as old as it can be.
type mender struct {
	s      *site
	t      *testing.T
	world  *world
	report *report
}

// remedy is that of the planted fault.
func (m *mender) remedy() *remedy {
	m.t.Helper()
	p := m.report.find(m.world.want[0].code)
	if p == nil || p.Remedy == nil {
		m.t.Fatalf("no remedy of %s:\n%s", m.world.want[0].code, m.report.describe())
	}
	return p.Remedy
}

// text is the remedy's records in one format.
func (m *mender) text(format string) string {
	m.t.Helper()
	text := m.remedy().Texts[format]
	if text == "" {
		m.t.Fatalf("no %s text:\n%s", format, m.report.describe())
	}
	return text
}

// nsupdate feeds the script to nsupdate(1), which finds the zone's primary by
// itself.
func (m *mender) nsupdate() {
	script := m.text("nsupdate")
	address := regexp.MustCompile(`(?m)^update add \S+ \d+ A+ `).MatchString(script)
	if ready := m.remedy().Ready; ready != nil && ready.OK == address {
		m.t.Errorf("ready for the PTR record: %+v, with the script:\n%s", *ready, script)
	}
	cmd := m.s.Server.Command("nsupdate", "-v")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		m.t.Fatalf("nsupdate: %v\n%s\nscript:\n%s", err, out, script)
	}
	m.again()
}

// refusal is the reply of a receiver to the world's host, as a mail log has it.
const refusal = `Nov 23 02:50:31 mail postfix/smtp[811]: 4ZxY: to=<someone@example.com>, relay=mx.example.com[192.0.2.26]:25, ` +
	`delay=1, delays=0/0/1/0, dsn=5.7.25, status=bounced (host mx.example.com[192.0.2.26] said: 550-5.7.25 [%s] ` +
	`The IP address sending this message does not have a PTR record setup (in reply to end of DATA command))` + "\n"

// bounce reads what came back before the repair and after it.
func (m *mender) bounce() {
	file := m.s.write(m.t, fmt.Sprintf(refusal, m.world.addr), "bounce.log")
	w := *m.world
	w.target = "--bounce=" + file
	for _, want := range []string{"still-wrong", "fine-now"} {
		if r := m.s.check(m.t, &w); r.Now == nil || r.Now.State != want {
			m.t.Errorf("the bounce is compared as %+v, want %s:\n%s", r.Now, want, r.describe())
		}
		if want == "still-wrong" {
			m.nsupdate()
		}
	}
}

// zoneFile puts the lines into the zone's file, raises the serial and has the
// server read it.
func (m *mender) zoneFile() {
	file := m.s.fixed.files[reverseFixed]
	b, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	raised := strings.Replace(string(b), "hostmaster.example.org. 1 ", "hostmaster.example.org. 2 ", 1)
	writeFile(m.t, file, raised+m.text("bind"))
	if err := unix.Kill(m.s.fixed.PID(), unix.SIGHUP); err != nil {
		m.t.Fatal(err)
	}
	m.again()
}

// postfix runs the commands.
func (m *mender) postfix() {
	ran := false
	for _, step := range m.remedy().Steps {
		if step.Command != "" {
			run(m.t, m.s.Server.Command("sh", "-c", step.Command))
			ran = true
		}
	}
	if !ran {
		m.t.Fatalf("no command:\n%s", m.report.describe())
	}
	m.again()
}

// lines are what is to be written into the configuration.
func (m *mender) lines() string {
	m.t.Helper()
	for _, step := range m.remedy().Steps {
		if step.Lines != "" {
			return step.Lines
		}
	}
	m.t.Fatalf("no lines:\n%s", m.report.describe())
	return ""
}

// exim has the lines at the head of its configuration.
func (m *mender) exim() {
	lines := m.lines()
	m.s.exim.Stop(m.t)
	m.s.exim = m.s.startExim(m.t, m.world.host, lines)
	m.again()
}

// smtpd gets the words that the printed line has behind the address.
func (m *mender) smtpd() {
	_, tail, found := strings.Cut(m.lines(), "hostname ")
	if !found {
		m.t.Fatalf("no hostname in %q", m.lines())
	}
	m.s.smtpd.Stop(m.t)
	m.s.smtpd = m.s.startSMTPD(m.t, m.world.host, "hostname "+tail)
	m.again()
}

// patience is for repairs whose promised time lies far away, because the
// provider's delay is in it; here there is none.
const patience = 20 * time.Second

// grain is the whole second, in the report and in the resolver's cache.
const grain = 2 * time.Second

// again examines until all is well, and holds the time against the promised
// one: no examination that began after it may still find the fault.
func (m *mender) again() {
	m.t.Helper()
	visible := m.remedy().Visible
	if visible == nil {
		m.t.Fatalf("no time:\n%s", m.report.describe())
	}
	applied := time.Now()
	for {
		began := time.Now()
		r := m.s.check(m.t, m.world)
		faults, _ := r.faults()
		switch {
		case slices.Equal(faults, m.world.want[1:]):
			if now := time.Now(); now.Before(visible.First.Add(-grain)) {
				m.t.Errorf("visible at %s, promised for %s at the soonest", now, visible.First)
			}
			m.t.Logf("visible %.1f s after the repair, promised within %.0f s", began.Sub(applied).Seconds(), visible.Last.Sub(applied).Seconds())
			return
		case began.After(visible.Last.Add(grain)):
			m.t.Fatalf("promised by %s, still wrong at %s:\n%s", visible.Last, began, r.describe())
		case began.Sub(applied) > patience:
			m.t.Fatalf("not within %s of the repair:\n%s", patience, r.describe())
		}
	}
}
