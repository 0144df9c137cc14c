// Package dnssd puts the responder of pairing/dnssd on real networks: network namespaces with a cable between them, which
// the tests make and take away again. Three strangers look at it: Avahi's browser, the zeroconf library, and a client
// that asks single questions and sees the packets as they are. Avahi also contests names, and shares port 5353.
//
// The responder runs in a process of its own within its namespace: the test binary, started again, see node_test.go.
package dnssd
