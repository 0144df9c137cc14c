// Package edge wires an edge node: the one place where its rooms meet.
//
// A node has one holder of twins (devicetwin), and around it rims that know the holder and nothing else: eventbus speaks
// MQTT with mappers, local answers the command line, the devices folder defines devices. The mapper that moves relays is
// a party of its own, although it usually runs in the same process: it reaches the twin over MQTT like any other. [Run]
// shows the order in which they start and end.
//
// [Config] is what stands in twinbridge.yaml; [Options] is what the command line says.
package edge
