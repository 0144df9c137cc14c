// Package devicecontroller keeps the registry and the sessions of the nodes in step, both ways.
//
// Upwards it is what the sessions speak to: what a node says goes into the registry. Downwards it watches the registry:
// whenever something may have to be told to a node (a definition, a wish, an acknowledgement that is on disk now) it wakes
// the node's session, which then asks what there is. It holds no state of its own.
package devicecontroller
