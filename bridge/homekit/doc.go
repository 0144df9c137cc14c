// Package homekit shows the twins of a node to the iPhone's Home app, to Siri, and to whatever else speaks the HomeKit
// Accessory Protocol (HAP R2) over IP.
//
// One bridge accessory stands for the node, one bridged accessory for each lamp that is a twin. What a controller writes
// becomes a wish of origin homekit, a press (rule 2); what it reads is expected while a wish is pending, else actual
// (rule 10). A device that is offline answers a write with "No Response" at once, and nothing is queued.
//
// The packages below know the protocol and no twin: database holds services and characteristics, pair makes and checks
// pairings, session is the connection. This package is their meeting point: it finds what a device is (package
// accessories), gives it identifiers that last for ever (ids.go), and keeps the database in step with the twins
// (bridge.go, device.go). The catalogue of services and characteristics is that of github.com/brutella/hap, of which
// nothing else is used (catalogue.go).
//
// Identity is for ever (rule 6): the device id, the long-term key, the pairings and the identifiers lie in the node's
// store. A store that cannot be read never becomes an unpaired bridge: nothing is announced, and the health says so.
package homekit
