package generic

// classes is a set of classes of words.
type classes uint16

// trie finds the words of the lexicon in a run of letters.
type trie struct{ nodes []node }

// node says which classes a word has that ends here: anywhere, at the start of
// a run of letters, at its end, or as the whole of it.
type node struct {
	next                        [26]uint16
	anywhere, start, end, whole classes
}

// add files a word: "abc" as a whole run of letters, "abc-" at its start,
// "-abc" at its end, "-abc-" anywhere.
func (t *trie) add(word string, c class) {
	if len(t.nodes) == 0 {
		t.nodes = make([]node, 1)
	}
	open, last := word[0] == '-', word[len(word)-1] == '-'
	n := uint16(0)
	for i := range len(word) {
		if word[i] == '-' {
			continue
		}
		k := word[i] - 'a'
		if t.nodes[n].next[k] == 0 {
			t.nodes[n].next[k] = uint16(len(t.nodes))
			t.nodes = append(t.nodes, node{})
		}
		n = t.nodes[n].next[k]
	}
	end, bit := &t.nodes[n], classes(1)<<c
	switch {
	case open && last:
		end.anywhere |= bit
	case open:
		end.end |= bit
	case last:
		end.start |= bit
	default:
		end.whole |= bit
	}
}

// at returns the longest word that starts at s[i], of those that may stand
// there, and its classes. s is a run of small letters; fresh says that nothing
// but other words stands before.
func (t *trie) at(s string, i int, fresh bool) (found classes, end int) {
	n := uint16(0)
	for j := i; j < len(s); j++ {
		n = t.nodes[n].next[s[j]-'a']
		if n == 0 {
			break
		}
		w := &t.nodes[n]
		here := w.anywhere
		if fresh {
			here |= w.start
		}
		if j+1 == len(s) {
			here |= w.end
			if fresh {
				here |= w.whole
			}
		}
		if here != 0 {
			found, end = here, j+1
		}
	}
	return found, end
}
