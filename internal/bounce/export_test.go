package bounce

// Cost reads a text, and says how many octets were held against the rules.
func (r *Reader) Cost(text string) (Reading, int, error) {
	rep, err := r.take(text)
	if err != nil {
		return Reading{}, 0, err
	}
	octets := 0
	for _, f := range rep.refusals {
		octets += len(f.text)
	}
	return r.conclude(rep), octets, nil
}

// OperatorRules are the rules that name who is behind them.
func OperatorRules() (rules []string) {
	for rule := range operators {
		rules = append(rules, rule)
	}
	return rules
}

// Classes returns all classes, Other last.
func Classes() []Class {
	out := make([]Class, len(meanings))
	for i, m := range meanings {
		out[i] = m.class
	}
	return out
}

// Words counts the parts for people that are found in a message.
func Words(text string) int {
	p := &pieces{}
	p.message(text, 0)
	return len(p.words)
}
