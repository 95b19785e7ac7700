package doctor_test

import (
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// comparison is the flag of make comparison.
var comparison = flag.String("comparison", "", "write docs/comparison.md anew, and keep what the tools said in this `folder`")

const page = "../../docs/comparison.md"

const pageHead = `# Side by side

<!-- Written by make comparison. -->

What other tools say about the same broken worlds: those of ` + "`test/doctor`" + `, each with one planted fault, in a network
namespace with real name servers and mail servers. The column of arpagate is asserted by ` + "`make test`" + `: *names* means
there that the report names this fault as the one cause, the party that can mend it, and nothing else.

The faults are those that arpagate was built to find, so it would be a poor thing if it missed one. None of the other
tools is made for this task, and each finds faults that arpagate does not look for: Zonemaster and DNSViz look much deeper
into delegations and DNSSEC, nmap at whole networks, swaks plays every part of SMTP. What each is made for, and how it was
run:

`

const pageLegend = `
- **names**: the tool calls the fault a fault.
- **shows**: the output holds the fact, for somebody who knows what to look for.
- **–**: it says nothing about it, though it looks at such things.
- **wrong**: it says something that is not so.
- empty: it does not look at such things, and does not claim to.

`

const pageTail = `
Where a cell says *wrong*: nmap's fcrdns reports every lack of an answer as "No PTR record", also when the resolver failed
or refused the answer, and takes the aliases on the way to a PTR record for names of the host. swaks takes the null MX
(RFC 7505) for a host of the name ".".

Two things in the world are of the laboratory and count against no tool: name servers at documentation addresses, and
TTLs and refresh times of a few seconds. Zonemaster remarks on both.

## Once more

` + "```sh" + `
make comparison
` + "```" + `

That takes root and some minutes, installs the Debian packages of the tools (` + "`test/setup peers`" + `), runs each of them in every
world, and writes this page. What the tools said is kept in ` + "`bin/comparison`" + `. The patterns that decide a cell are in
` + "`test/doctor/peers_says_test.go`" + `.
`

// comparisonPage is the whole page around the rows.
func comparisonPage(t *testing.T, rows string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageHead)
	head, line := "| planted fault | arpagate |", "|---|---|"
	for _, p := range peers() {
		version := strings.TrimSpace(run(t, exec.Command("dpkg-query", "-W", "-f", "${Version}", p.name)))
		fmt.Fprintf(&b, "- **%s** (Debian %s) %s.\n  `%s`\n", p.name, version, p.what, p.shape)
		head += " " + p.name + " |"
		line += "---|"
	}
	b.WriteString(pageLegend)
	b.WriteString(head + "\n" + line + "\n" + rows)
	b.WriteString(pageTail)
	return b.String()
}
