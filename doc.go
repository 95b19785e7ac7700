// Package arpagate decides whether a mail server is who its DNS says it is,
// says why, and helps to put it right.
//
// The program is cmd/arpagate; docs/hacking.md is the plan of the house.
// Nothing but this text and the tests of the plan lives at the root.
package arpagate
