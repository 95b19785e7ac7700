package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// mailHost is how a mail server of the world behaves.
type mailHost struct {
	banner, ehlo string // the names that it says
	delay        time.Duration
	slow         time.Duration // before each later reply
	reject       int           // code of the greeting, 0 for 220
	tls          string        // of certificates, or "none" or "broken"
	names        []string      // of the certificate
	domains      []string      // whose mail it takes
	postmaster   int           // code of the reply, 0 for 250
	abuse        int
	vrfy, expn   bool // answered with what is known, as nobody should
	relay        bool // takes mail for everybody
	// words, each of which says how it goes wrong
	words []string
}

// Words of a mail server that stand alone.
const (
	mailClosed  = "closed"  // nobody listens
	mailSilent  = "silent"  // takes connections, and says nothing
	mailHangup  = "hangup"  // closes them at once
	mailGarbled = "garbled" // speaks something else than SMTP
	mailHELO    = "helo"    // knows no EHLO
	mailInject  = "inject"  // carries commands over into TLS
)

var mailWords = []string{mailClosed, mailSilent, mailHangup, mailGarbled, mailHELO, mailInject}

// certificateKinds are the values of tls=.
var certificateKinds = []string{"valid", "none", "selfsigned", "expired", "early", "broken"}

func (h *mailHost) is(word string) bool { return slices.Contains(h.words, word) }

// mailServer reads "smtp ADDRESS[,...] [WORD|KEY=VALUE ...]".
func (w *World) mailServer(fields []string) error {
	h := mailHost{tls: "valid"}
	for _, word := range fields[2:] {
		if err := h.set(word); err != nil {
			return err
		}
	}
	h.complete()
	for _, address := range strings.Split(fields[1], ",") {
		addr, err := netip.ParseAddr(address)
		if err != nil || addr.Zone() != "" {
			return fmt.Errorf("bad address %q", address)
		}
		if _, twice := w.mail[addr]; twice {
			return fmt.Errorf("a second smtp line for %s", addr)
		}
		w.mail[addr] = h
	}
	return nil
}

// complete fills in what the line left out.
func (h *mailHost) complete() {
	if h.banner == "" {
		h.banner = "mail.example.org"
	}
	if h.ehlo == "" {
		h.ehlo = h.banner
	}
	if h.names == nil {
		h.names = []string{h.ehlo}
	}
	if h.domains == nil {
		h.domains = []string{h.ehlo}
		if _, parent, ok := strings.Cut(h.ehlo, "."); ok {
			h.domains = append(h.domains, parent)
		}
	}
}

// set reads one word.
func (h *mailHost) set(word string) (err error) {
	key, value, pair := strings.Cut(word, "=")
	if !pair && slices.Contains(mailWords, word) {
		h.words = append(h.words, word)
		return nil
	}
	switch key {
	case "name":
		h.banner, err = mailName(value)
		h.ehlo = h.banner
	case "banner":
		h.banner, err = mailName(value)
	case "ehlo":
		h.ehlo, err = mailName(value)
	case "delay":
		h.delay, err = mailPause(value)
	case "slow":
		h.slow, err = mailPause(value)
	case "reject":
		h.reject, err = mailCode(value)
	case "postmaster":
		h.postmaster, err = mailCode(value)
	case "abuse":
		h.abuse, err = mailCode(value)
	case "tls":
		if h.tls = value; !slices.Contains(certificateKinds, value) {
			err = errors.New("want " + strings.Join(certificateKinds, ", "))
		}
	case "names":
		h.names = strings.Split(value, ",")
	case "domains":
		h.domains = strings.Split(value, ",")
	case "vrfy":
		h.vrfy, err = mailSwitch(value, "on")
	case "expn":
		h.expn, err = mailSwitch(value, "on")
	case "relay":
		h.relay, err = mailSwitch(value, "open")
	default:
		return fmt.Errorf("unknown word %q of a mail server", word)
	}
	if err != nil {
		return fmt.Errorf("bad word %q of a mail server: %w", word, err)
	}
	return nil
}

// mailName lets a server say any one word: wrong names are what the lab is for.
func mailName(s string) (string, error) {
	if s == "" || len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("want a name")
	}
	return s, nil
}

func mailPause(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > time.Hour {
		return 0, errors.New("want a duration")
	}
	return d, nil
}

// mailCode reads the code of a refusal (RFC 5321 §4.2.1).
func mailCode(s string) (int, error) {
	code, err := strconv.Atoi(s)
	if err != nil || code < 400 || code > 599 {
		return 0, errors.New("want a code from 400 to 599")
	}
	return code, nil
}

func mailSwitch(s, on string) (bool, error) {
	if s != on {
		return false, errors.New("want " + on)
	}
	return true, nil
}

// mailAddresses returns every address of the world that has no mail server: that
// of a host, or one that a name leads to.
func (w *World) mailAddresses() []netip.Addr {
	seen := map[netip.Addr]bool{}
	for _, h := range w.hosts {
		seen[h.Address] = true
	}
	for _, set := range w.sets {
		for _, rr := range set {
			if addr := addressOf(rr); addr.IsValid() {
				seen[addr.Unmap()] = true
			}
		}
	}
	var out []netip.Addr
	for addr := range seen {
		if _, has := w.mail[addr]; !has {
			out = append(out, addr)
		}
	}
	return out
}

// local reports whether the server takes mail for the domain.
func (h *mailHost) local(domain string) bool {
	name, err := dnsname.Parse(domain)
	return slices.ContainsFunc(h.domains, func(own string) bool {
		mine, bad := dnsname.Parse(own)
		return err == nil && bad == nil && mine == name
	})
}
