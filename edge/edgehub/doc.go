// Package edgehub keeps a node in step with its hub.
//
// A [Session] is the node's end of one connection: a step machine without socket or clock. It takes what the hub says
// and hands it to the twins; and whenever there is room on the link it asks the twins what there is to tell: decisions
// that are on disk, then what was observed. [EdgeHub] is the loop around it: it dials, pumps, and dials again after a
// pause that grows. Without a hub the house goes on; nothing waits here, because what is to be told lies in the twins.
package edgehub
