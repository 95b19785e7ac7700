package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/generic"
)

func newClassifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "classify",
		Short: "Tell names that were assigned from a template from those that somebody chose",
		Long: `Read lines of an address, a tab and its PTR name from standard input, and print
for each of them, in the same order,

  name<TAB>verdict<TAB>score<TAB>why

The verdict is generic-dynamic (the name of a dial-in, cable, mobile … line),
generic-static (of a machine for rent, a fixed or a business line) or own
(somebody named the host). The score is how likely the name is generic, from 0
to 1; one of more than 0.5 is. Why names the parts of the name, the heaviest
first, and what each weighs: the weights add up to the logit of the score.

Nothing is asked of the DNS. Blank lines, and lines that begin with "#", are
skipped; what follows a second tab is ignored. A line that can't be read still
gets its line, with the verdict own, the score 0 and the error in the last
column; it is told of on standard error too, and the exit code is 1.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.classify() },
	}
}

// maxPair is the longest line; a name has 255 octets (RFC 1035 §2.3.4), each of
// four characters when escaped.
const maxPair = 4096

// maxComplaints is how many bad lines are told of one by one.
const maxComplaints = 20

func (a *app) classify() error {
	in, out := bufio.NewReaderSize(a.stdin, maxPair), bufio.NewWriterSize(a.stdout, 64*1024)
	bad := 0
	for n := 1; ; n++ {
		// Whoever types, or waits for each answer, gets it at once.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		line, err := readPair(in)
		if errors.Is(err, io.EOF) {
			break
		}
		var long *tooLong
		if err != nil && !errors.As(err, &long) {
			return errors.Join(fmt.Errorf("classify: line %d: %w", n, err), out.Flush())
		}
		if err == nil && (strings.TrimSpace(line) == "" || line[0] == '#') {
			continue
		}
		name, v, err := judgePair(line, err)
		if err != nil {
			if bad++; bad <= maxComplaints {
				a.complain("error:", fmt.Sprintf("classify: line %d: %v", n, err))
			}
		}
		if err := writeVerdict(out, name, v, err); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil || bad == 0 {
		return err
	}
	if bad > maxComplaints {
		a.complain("error:", fmt.Sprintf("classify: %d more lines like these", bad-maxComplaints))
	}
	return exitFindings
}

// tooLong is the error of a line that does not fit the buffer.
type tooLong struct{}

// Error says what a line may be.
func (*tooLong) Error() string { return fmt.Sprintf("it is longer than %d characters", maxPair) }

// readPair reads a line without its end. Of one that is too long it returns the
// beginning, with an error.
func readPair(in *bufio.Reader) (string, error) {
	text, err := in.ReadSlice('\n')
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = &tooLong{}
		}
		return line, err
	case errors.Is(err, io.EOF) && line != "":
		return line, nil
	}
	return line, err
}

// judgePair returns the name of a line, as it stands there, and what the
// classifier makes of it.
func judgePair(line string, bad error) (string, generic.Verdict, error) {
	address, rest, tabbed := strings.Cut(line, "\t")
	text, _, _ := strings.Cut(rest, "\t")
	if !tabbed {
		text = line
	}
	switch {
	case bad != nil:
		return text, generic.Verdict{}, bad
	case !tabbed:
		return text, generic.Verdict{}, errors.New("no tab between address and name")
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(address))
	if err != nil {
		return text, generic.Verdict{}, fmt.Errorf("%q is no address", address)
	}
	name, err := dnsname.Parse(strings.TrimSpace(text))
	if err != nil {
		return text, generic.Verdict{}, fmt.Errorf("%q is no name: %s", text, strings.TrimPrefix(err.Error(), "dnsname: "))
	}
	return text, generic.Explain(name, addr.WithZone("")), nil
}

func writeVerdict(out *bufio.Writer, name string, v generic.Verdict, bad error) error {
	why := make([]string, len(v.Parts))
	for i, p := range v.Parts {
		why[i] = p.String()
	}
	reasons := strings.Join(why, ", ")
	if bad != nil {
		reasons = "error: " + oneLine(bad.Error())
	}
	_, err := fmt.Fprintf(out, "%s\t%s\t%.3f\t%s\n", oneField(name), v.Degree, v.Score, reasons)
	return err
}

// oneField returns s as it is, but for what could end the field or move a
// terminal's cursor: \DDD stands for such an octet, as in RFC 1035 §5.1.
func oneField(s string) string {
	plain := func(r rune, size int) bool {
		return unicode.IsPrint(r) && (r != utf8.RuneError || size > 1)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if plain(r, size) {
			b.WriteString(s[i : i+size])
		} else {
			for k := range size {
				fmt.Fprintf(&b, `\%03d`, s[i+k])
			}
		}
		i += size
	}
	return b.String()
}

var _ error = (*tooLong)(nil)
