// Package eventbus is the edge's side of MQTT: what mappers say becomes reports, states and wishes of the twins, and what
// the twins want becomes messages that mappers understand. It speaks KubeEdge's DeviceTwin protocol, so that KubeEdge's
// MQTT mappers work unchanged (package topic knows the words).
//
// Halves that meet in a small interface:
//
//   - protocol takes messages and answers them. It knows the twin.Store and no broker: it is handed each message with the
//     connection it came on, and publishes through an interface. Messages about one device are taken and answered under
//     the device's lock, so that result, document and delta come in this order and none overtakes another.
//   - broker is the embedded MQTT broker. It has no client inside: its hooks hand messages over in the reading goroutine
//     of the connection that sent them. So the order of each connection is kept, and a flood slows its sender down and
//     nobody else.
//   - External takes the broker's place where that runs elsewhere. It is a client there, over one connection for all. Who
//     published and who subscribed is not to be seen then, and crew has what that takes: mappers that name themselves,
//     deltas that are repeated, everything told anew after a break.
//
// What nobody asked for (a delta after a wish from the Home app) comes from a watch of the store. It looks at what a
// device is now and what was told of it last, and tells the difference: nothing queues up behind a slow reader, and a
// message that was lost to one is made good by the next look.
package eventbus
