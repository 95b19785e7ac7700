package remedy

import (
	"maps"

	"github.com/arpagate/arpagate/internal/finding"
)

// writers has the function that writes the remedy for each code. The words are
// those of finding.Code.
var writers = gather(
	map[string]func(*job){
		"ptr-missing": (*job).setPTR, "ptr-unusable": (*job).setPTR, "ptr-several": (*job).several, "ptr-too-many": (*job).several,
		"ptr-generic": (*job).generic, "ptr-generic-static": (*job).generic,
		"ptr-unconfirmed": (*job).unconfirmed, "ptr-long-chain": (*job).longChain, "ipv6-no-ptr": (*job).ipv6,
		"dns-trouble": (*job).dnsTrouble, "source-special": (*job).special,

		"helo-missing": (*job).helo, "helo-not-fqdn": (*job).helo, "helo-bare-ip": (*job).helo, "helo-literal-mismatch": (*job).helo,
		"helo-unresolvable": (*job).heloForward, "helo-not-client": (*job).heloForward, "helo-not-ptr": (*job).heloNotPTR, "ehlo-not-address": (*job).heloForward,

		"listed": (*job).listed,
	},
	zoneWriters, mailWriters, plainWriters(),
)

func gather(tables ...map[string]func(*job)) map[string]func(*job) {
	out := map[string]func(*job){}
	for _, m := range tables {
		maps.Copy(out, m)
	}
	return out
}

// Written reports whether there is a remedy for the code beyond the sentence of
// the catalogue.
func Written(code finding.Code) bool { _, ok := writers[string(code)]; return ok }
