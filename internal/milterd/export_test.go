package milterd

// AuthservID is the parser, for fuzzing.
var AuthservID = authservID

// SameID compares what AuthservID returned, for fuzzing.
var SameID = sameID
