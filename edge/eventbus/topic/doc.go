// Package topic knows the words that mappers and an edge exchange over MQTT: KubeEdge's DeviceTwin topics and their JSON
// payloads, and the few things that twinbridge adds to them.
//
// KubeEdge names a device by one level ("lamp", until v1.16) or by two ("default/lamp", since v1.17). Both are read; one
// level means the namespace "default". Who answers uses the shape that was asked, so [Topic] remembers it.
//
// What twinbridge adds rides in places that older mappers skip: the wish that a delta hands over and what is left of its
// time (twin.P.expected.metadata of a delta), the wish that a report follows and whether a hand was on the device
// (twin.P.actual.metadata of an update), a mapper's error (twin.P.metadata of an update), and what a mapper needs to
// know of its devices (protocol and properties in membership messages).
//
// Decoders take whole payloads and are tolerant where mappers in the field are careless: empty event ids, timestamps of
// 0, nulls, fields that nobody knows. They are strict where carelessness could move a device: a payload is at most
// [MaxPayload] bytes of UTF-8 and one JSON value, no deeper than [MaxDepth], no more than [MaxProperties] properties,
// each named once, with strings as values. What they refuse they name, as a *twin.FieldError with the path of the field.
package topic
