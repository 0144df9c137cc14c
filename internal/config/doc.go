// Package config reads and writes the configuration: a YAML file in which every key is known, explained and has a
// default.
//
// The types lie in the rooms that they configure: plain structs whose fields carry two tags, `yaml` with the key and
// `doc` with a sentence for the reader of the file. A value of the type holds the defaults. From these the package
// derives both directions, so that the file, its comments and what is accepted cannot drift apart; that is why it uses
// reflection.
//
//	type MQTT struct {
//		Listen string        `yaml:"listen" doc:"where the broker listens"`
//		Grace  time.Duration `yaml:"grace" doc:"how long a silent client is kept"`
//	}
//
// Fields may be strings, truths, numbers, time.Duration ("5s"), [Size] ("64KiB"), anything with UnmarshalText and
// MarshalText, lists of these or of structs, maps from text to these, and structs of them; an embedded struct without
// tag adds its keys to those around it. A field with the tag `yaml:"-"` is not in the file.
package config
