package remedy_test

import "testing"

// TestReference holds the page of the manual to the data.
func TestReference(t *testing.T) { golden(t, "../../docs/remedies.md", open(t).Reference()) }
