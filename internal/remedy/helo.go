package remedy

import (
	"fmt"

	"github.com/arpagate/arpagate/internal/evidence"
)

// helo has the mail server say the wanted name.
func (j *job) helo() {
	r := j.out
	r.Party, r.Wanted = MailAdmin, &j.choice
	r.Do = fmt.Sprintf("Set the mail server's EHLO name to %s.", j.name())
	j.configure("helo", "Set the name that the mail server says in EHLO to "+j.name()+".")
	if j.noName {
		return
	}
	if k := j.forward(); len(k.answers()) > 0 && !k.holds(j.Address) {
		j.addForward()
		r.Texts = texts(r.Records, replaced{})
		j.caution("%s needs an address record with %s too.", j.choice.Name, j.address())
	}
	r.Visible = j.atOnce("the next message says the new name")
}

// heloForward handles a name in EHLO that does not lead to the address: if the
// PTR name is good, EHLO follows it; else the name gets its address record.
func (j *job) heloForward() {
	said := j.Finding.Args.Name
	if j.View != nil && j.View.IPRev.Result == evidence.Pass && safe(j.View.IPRev.Confirmed) && len(j.View.Generic.Parts) == 0 {
		j.choice = Choice{Name: j.View.IPRev.Confirmed, Change: "helo", Why: "it is the present PTR name, and it leads back to the address"}
		j.noName, j.fill = false, newFiller(j.Address, j.choice.Name)
		j.helo()
		j.caution("Change this one thing only: the PTR record is good as it is. (An address record for %s would do as well.)", said)
		return
	}
	if !safe(said) {
		j.helo()
		return
	}
	j.choice = Choice{Name: said, Change: "forward", Why: "the mail server says it in EHLO"}
	j.noName, j.fill = false, newFiller(j.Address, said)
	j.publish()
}

func (j *job) heloNotPTR() {
	j.out.Party = Nobody
	j.out.Do = "Nothing has to be done: a name in EHLO that differs from the PTR name is no fault (RFC 5321 §4.1.4)."
	if j.View != nil && safe(j.View.IPRev.Confirmed) {
		j.choice = Choice{Name: j.View.IPRev.Confirmed, Change: "helo", Why: "it is the present PTR name"}
		j.noName, j.fill = false, newFiller(j.Address, j.choice.Name)
		j.out.Wanted = &j.choice
		j.configure("helo", "For those who compare the two, let the mail server say "+j.name()+" in EHLO.")
	}
}

// atOnce is the range of a change that nobody caches.
func (j *job) atOnce(why string) *Visible {
	if j.Now.IsZero() {
		return nil
	}
	return &Visible{First: j.Now, Last: j.Now, Because: []string{why}}
}
