// Package manifest translates between KubeEdge's files and the twin's definitions.
//
// People describe devices with KubeEdge's resources: Device and DeviceModel of devices.kubeedge.io, in the versions
// v1beta1 and v1alpha2 (and v1alpha1, which differs in where visitors stand), as YAML or JSON; the oldest way is a JSON
// device with "attributes" and "twin". [Read] takes all of them as they are. What the resources cannot say rides in
// annotations that begin with "twinbridge.dev/".
//
// Reading is strict, because a mistyped key that is passed over is a lamp that does not move: unknown keys, keys and
// properties that stand twice, and values of a wrong type are errors with file, line, field and what was expected, and
// a file with an error gives nothing. What KubeEdge knows and nothing here uses (push methods, statuses) is accepted
// with a note.
//
// "desired" in a manifest is a wish only where it changed since it was last taken (rule 6); this package says what
// stands there, and the holder decides. An empty one is none: KubeEdge's own tools write it for every property without
// a wish. defaultValue of a model is no wish.
package manifest
