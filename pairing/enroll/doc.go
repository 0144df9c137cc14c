// Package enroll is how an edge node joins a hub, and how both know each other afterwards.
//
// The hub is its own certificate authority. Somebody who may do so asks it for a token and carries the token to the
// node. The token holds the CA certificate itself, so the node speaks to the right hub from its first byte on, and a
// secret that is good for one join under one name. The node makes a key, which never leaves it, and gets a certificate
// for 30 days, which it renews at two thirds of that time. From then on both sides use TLS 1.3 with certificates, and
// [Authority.Identify] says who is at the other end.
//
// # Joins have numbers
//
// Each use of a token is a join and gets a number, which is larger than those of all earlier joins of that name. The
// number stands in the serial number of each certificate that descends from the join, by renewal too. The hub keeps one
// record per name: the number of the join in force, and the highest number that is revoked. A certificate is good if the
// hub's CA signed it for a node, it has not expired, and its join is the one in force. So a revocation needs no list of
// serial numbers that could get long or lost, and it reaches certificates that the hub has forgotten. A renewal revokes
// nothing: the earlier certificate stays good until it expires.
//
// If the hub has lost its records, by an old backup for example, it meets a certificate of a join that it does not know.
// Only its own CA can have signed it, so it is accepted, and the record is made again. What is lost with the records is
// what had been revoked since.
//
// # Answers get lost
//
// The hub makes the use of a token durable before the certificate leaves, the node makes its key durable before it asks.
// So a join whose answer got lost can be repeated with the same token and the same key, and with no other key.
//
// # Clocks are wrong
//
// A small computer without a clock chip begins in 1970. Both sides take the latest of the clock, the time that they saved
// and the time of their build, see clock.go. A node's certificate is valid from the beginning of its CA, so a clock that
// stands behind refuses nobody; only the end of a certificate means anything. A certificate that expired while the node
// was off can be renewed for 30 days more, by a signature of its key.
package enroll
