// Package cloudhub takes the sessions of the nodes: one for each, over WebSocket, with the node known by its certificate.
//
// A [Session] is the hub's end of one connection: a step machine without socket or clock, the counterpart of edgehub's.
// [Hub] is the loop around all of them: it fences an older session when a newer one of the same node begins, ends those
// whose certificate is revoked or has expired, and wakes a session when there is something to tell its node. What is to
// be told lies with the holder of the views, behind the interface [Twins]; nothing queues here.
package cloudhub
