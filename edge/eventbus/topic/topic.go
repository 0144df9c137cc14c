package topic

import (
	"errors"
	"strings"

	"twinbridge/twin"
)

// Kind tells what is said on a topic.
type Kind uint8

// The kinds of topics. Answers go out from the edge; a client that publishes on one of them is not listened to.
const (
	Unknown Kind = iota

	TwinUpdate        // report or wish: [Update]
	TwinUpdateResult  // [Result]
	TwinDocument      // [Document]
	TwinDelta         // [Delta]
	TwinGet           // [Request]
	TwinGetResult     // [Result]
	TwinCloudUpdated  // KubeEdge's inner sync; of no meaning here
	StateUpdate       // [State]
	StateUpdateResult // [StateResult]
	DeviceUpdated     // attributes changed; of no meaning here
	DataUpdate        // time series of old mappers, for local readers

	MembershipGet     // [Request]
	MembershipResult  // [Members]
	MembershipUpdated // [Membership]

	MapperLost // will of a mapper; any payload
)

// Shape tells how many levels name a device.
type Shape uint8

// The shapes of a device's topics.
const (
	TwoLevel Shape = iota // "default/lamp"
	OneLevel              // "lamp", in the namespace "default"
)

// Topic is what the name of a topic says.
type Topic struct {
	Kind   Kind
	Device twin.Name // of kinds about a device
	Shape  Shape     // likewise
	Node   string    // of the membership kinds: the node; of MapperLost: the mapper's id
}

// ErrOther means that a topic is none of these.
var ErrOther = errors.New("no topic of devices, nodes or mappers")

const (
	devicePrefix = "$hw/events/device/"
	nodePrefix   = "$hw/events/node/"
	dataPrefix   = "$ke/events/device/"
	mapperPrefix = "$twinbridge/mapper/"
)

// suffix gives what follows the device or the node.
func (k Kind) suffix() string {
	switch k {
	case TwinUpdate:
		return "twin/update"
	case TwinUpdateResult:
		return "twin/update/result"
	case TwinDocument:
		return "twin/update/document"
	case TwinDelta:
		return "twin/update/delta"
	case TwinGet:
		return "twin/get"
	case TwinGetResult:
		return "twin/get/result"
	case TwinCloudUpdated:
		return "twin/cloud_updated"
	case StateUpdate:
		return "state/update"
	case StateUpdateResult:
		return "state/update/result"
	case DeviceUpdated:
		return "updated"
	case DataUpdate:
		return "data/update"
	case MembershipGet:
		return "membership/get"
	case MembershipResult:
		return "membership/get/result"
	case MembershipUpdated:
		return "membership/updated"
	case MapperLost:
		return "lost"
	case Unknown:
	}
	return ""
}

func (k Kind) String() string {
	if k == Unknown {
		return "unknown"
	}
	return k.suffix()
}

// Answer reports whether the kind is said by the edge alone.
func (k Kind) Answer() bool {
	switch k {
	case TwinUpdateResult, TwinDocument, TwinDelta, TwinGetResult, StateUpdateResult, DeviceUpdated, MembershipResult, MembershipUpdated:
		return true
	case Unknown, TwinUpdate, TwinGet, TwinCloudUpdated, StateUpdate, DataUpdate, MembershipGet, MapperLost:
	}
	return false
}

func deviceKind(suffix string) Kind {
	for k := TwinUpdate; k <= DeviceUpdated; k++ {
		if k.suffix() == suffix {
			return k
		}
	}
	return Unknown
}

// Parse reads the name of a topic. [ErrOther] means that it is none of ours; another error is a *twin.FieldError about
// the device's name, and the Topic's Kind and Shape are then still told.
func Parse(topic string) (Topic, error) {
	if rest, ok := strings.CutPrefix(topic, devicePrefix); ok {
		return parseDevice(rest, deviceKind)
	}
	if rest, ok := strings.CutPrefix(topic, dataPrefix); ok {
		return parseDevice(rest, func(suffix string) Kind {
			if suffix == DataUpdate.suffix() {
				return DataUpdate
			}
			return Unknown
		})
	}
	if rest, ok := strings.CutPrefix(topic, nodePrefix); ok {
		node, suffix, _ := strings.Cut(rest, "/")
		for k := MembershipGet; k <= MembershipUpdated; k++ {
			if k.suffix() == suffix && node != "" {
				return Topic{Kind: k, Node: node}, nil
			}
		}
	}
	if rest, ok := strings.CutPrefix(topic, mapperPrefix); ok {
		if id, suffix, _ := strings.Cut(rest, "/"); suffix == MapperLost.suffix() && id != "" {
			return Topic{Kind: MapperLost, Node: id}, nil
		}
	}
	return Topic{}, ErrOther
}

// parseDevice takes apart what follows the prefix. No suffix is the tail of another one, so both shapes cannot fit, even
// if a device is named "twin".
func parseDevice(rest string, kind func(string) Kind) (Topic, error) {
	first, suffix, _ := strings.Cut(rest, "/")
	if k := kind(suffix); k != Unknown {
		t := Topic{Kind: k, Shape: OneLevel, Device: twin.Name{Namespace: twin.DefaultNamespace, Name: first}}
		return t, t.Device.Validate()
	}
	second, suffix, _ := strings.Cut(suffix, "/")
	if k := kind(suffix); k != Unknown {
		t := Topic{Kind: k, Device: twin.Name{Namespace: first, Name: second}}
		return t, t.Device.Validate()
	}
	return Topic{}, ErrOther
}

// Of makes the topic of a device, in two levels.
func Of(k Kind, n twin.Name) Topic { return Topic{Kind: k, Device: n} }

// OfNode makes the topic of a node, for the membership kinds.
func OfNode(k Kind, node string) Topic { return Topic{Kind: k, Node: node} }

// Lost makes the topic on which the will of a mapper is published. The mapper is the one with that id, which is its own
// choice, of at most [MaxMapper] bytes without '/', '+' or '#'. The will's payload is of no meaning but must not be empty.
func Lost(mapper string) Topic { return Topic{Kind: MapperLost, Node: mapper} }

// As gives the topic of another kind about the same device or node, in the same shape.
func (t Topic) As(k Kind) Topic {
	t.Kind = k
	return t
}

// Alias gives the same topic in the other shape. Only a device in the namespace "default" has one of one level.
func (t Topic) Alias() (Topic, bool) {
	switch {
	case t.Shape == OneLevel:
		t.Shape = TwoLevel
		return t, true
	case t.Device.Namespace == twin.DefaultNamespace:
		t.Shape = OneLevel
		return t, true
	}
	return t, false
}

// String gives the name of the topic.
func (t Topic) String() string {
	switch t.Kind {
	case MembershipGet, MembershipResult, MembershipUpdated:
		return nodePrefix + t.Node + "/" + t.Kind.suffix()
	case MapperLost:
		return mapperPrefix + t.Node + "/" + t.Kind.suffix()
	case Unknown:
		return ""
	default:
	}
	prefix := devicePrefix
	if t.Kind == DataUpdate {
		prefix = dataPrefix
	}
	if t.Shape == OneLevel {
		return prefix + t.Device.Name + "/" + t.Kind.suffix()
	}
	return prefix + t.Device.Namespace + "/" + t.Device.Name + "/" + t.Kind.suffix()
}

// Filter gives the subscription filter for a kind of all devices in a shape, or of all nodes or mappers.
func Filter(k Kind, s Shape) string {
	any := Topic{Kind: k, Shape: s, Device: twin.Name{Namespace: "+", Name: "+"}, Node: "+"}
	return any.String()
}
