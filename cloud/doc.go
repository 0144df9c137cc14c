// Package cloud is the hub's side, wired: the one place where it can be read how its rooms hang together.
//
//	nodes -- cloudhub -- devicecontroller -- registry -- api -- REST, the page
//
// The registry is handed in: which one it is, is the program's choice. Beside it lies access.db: the hub's certificate
// authority, and who has joined. It outlives a registry that is lost, so that the nodes still find their hub and tell it
// anew what they know.
package cloud
