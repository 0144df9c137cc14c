package deviceapi

import (
	"time"
)

// Device is a device and its twin as REST shows it.
type Device struct {
	Namespace  string              `json:"namespace" example:"default"`
	Name       string              `json:"name" example:"lamp"`
	Title      string              `json:"title,omitempty" example:"Hall lamp" doc:"What people see, in any language; absent: the name"`
	Room       string              `json:"room,omitempty" example:"Hall" doc:"Where it is, in any language"`
	UID        string              `json:"uid" doc:"Made anew each time a device of this name is created"`
	Model      string              `json:"model,omitempty" example:"default/lamp" doc:"namespace/name of its model, if it has one"`
	Node       string              `json:"node,omitempty" doc:"The edge node that the device hangs on"`
	Labels     map[string]string   `json:"labels,omitempty" doc:"The user's own words to choose devices by"`
	Attributes map[string]string   `json:"attributes,omitempty" doc:"Static attributes: serial, manufacturer, ..."`
	Presence   string              `json:"presence" enum:"online,offline,unknown"`
	State      string              `json:"state,omitempty" doc:"What the mapper last said of the device, where that is more than its presence: unhealthy, error"`
	LastSeen   *time.Time          `json:"lastSeen,omitempty" doc:"When it last reported or told its state"`
	NodeAway   *time.Time          `json:"nodeAway,omitempty" doc:"At a hub: since when its node is away; absent while it is there, and if it never came"`
	Trouble    string              `json:"trouble,omitempty" doc:"At a hub: why its node does not take the definition"`
	Rev        uint64              `json:"rev,omitempty" doc:"Revision of the last decision about the device; absent while it is not on disk yet"`
	Properties map[string]Property `json:"properties"`
}

// FullName is the device's "namespace/name".
func (d *Device) FullName() string { return d.Namespace + "/" + d.Name }

// Property is one property of a twin, and which values it takes. The latter is as it counts: with what annotations and
// names say, which a model alone does not show.
type Property struct {
	Type     string       `json:"type" enum:"bool,int,float,string"`
	Access   string       `json:"access,omitempty" enum:"ReadOnly" doc:"ReadOnly: it is only reported; absent: it takes wishes"`
	Unit     string       `json:"unit,omitempty"`
	Min      *float64     `json:"min,omitempty"`
	Max      *float64     `json:"max,omitempty"`
	Step     float64      `json:"step,omitempty"`
	Enum     []string     `json:"enum,omitempty" doc:"The words that a string takes; absent: any"`
	Expected *Expected    `json:"expected,omitempty" doc:"Absent if nothing was ever wished"`
	Actual   *Actual      `json:"actual,omitempty" doc:"Absent if nothing was ever reported"`
	Wish     *PendingWish `json:"wish,omitempty" doc:"What is pending on the property"`
}

// Expected is what somebody wished.
type Expected struct {
	Value  Scalar `json:"value"`
	Origin string `json:"origin" example:"local" doc:"Where the wish came from; restore: nobody's, the node itself went back to it"`
	Rev    uint64 `json:"rev,omitempty" doc:"Revision of the decision; absent while it is not on disk yet"`
}

// Actual is what the device last reported.
type Actual struct {
	Value Scalar     `json:"value"`
	At    *time.Time `json:"at,omitempty"`
}

// PendingWish is what a property waits for.
type PendingWish struct {
	ID      string `json:"id"`
	Outcome string `json:"outcome" enum:"pending"`
	Trouble string `json:"trouble,omitempty" doc:"Why it is not applied yet, once something went wrong"`
	Restore bool   `json:"restore,omitempty" doc:"The node itself brings the device back to expected; such a wish cannot be asked for"`
}

// Wish is a wish as its asker reads it.
type Wish struct {
	ID       string            `json:"id"`
	Device   string            `json:"device" example:"default/lamp"`
	Expected map[string]Scalar `json:"expected"`
	Outcome  string            `json:"outcome" enum:"pending,applied,failed,superseded,expired,refused"`
	Reason   string            `json:"reason,omitempty"`
	Trouble  string            `json:"trouble,omitempty" doc:"Why it is still pending, once something went wrong"`
	By       string            `json:"by,omitempty" doc:"Who took its properties, if it was superseded"`
	Rev      uint64            `json:"rev,omitempty" doc:"Revision of the last decision about it; absent while it is not on disk yet, and at a hub"`
}

// List is a page of devices.
type List struct {
	Devices []Device `json:"devices"`
	Next    string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one"`
}

// Model is a device model.
type Model struct {
	Namespace   string            `json:"namespace,omitempty"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	Protocol    *Visitor          `json:"protocol,omitempty" doc:"Driver of its devices"`
	Properties  []ModelProperty   `json:"properties"`
	Annotations map[string]string `json:"annotations,omitempty" doc:"Keys without twinbridge.dev/"`
}

// ModelProperty describes a property of a model.
type ModelProperty struct {
	Name          string   `json:"name"`
	Description   string   `json:"description,omitempty"`
	Type          string   `json:"type" enum:"bool,int,float,string"`
	Access        string   `json:"access,omitempty" enum:"ReadWrite,ReadOnly"`
	Unit          string   `json:"unit,omitempty"`
	Min           *float64 `json:"min,omitempty"`
	Max           *float64 `json:"max,omitempty"`
	Step          float64  `json:"step,omitempty"`
	Tolerance     float64  `json:"tolerance,omitempty" doc:"Difference that counts as equal"`
	Enum          []string `json:"enum,omitempty"`
	Visitor       *Visitor `json:"visitor,omitempty"`
	CollectCycle  string   `json:"collectCycle,omitempty" example:"1s"`
	ReportCycle   string   `json:"reportCycle,omitempty" example:"1m"`
	ReportToCloud bool     `json:"reportToCloud,omitempty"`
}

// Visitor is a driver's name and its own configuration.
type Visitor struct {
	Protocol string `json:"protocol,omitempty"`
	Config   Object `json:"config,omitempty"`
}

// Applied tells what a manifest led to.
type Applied struct {
	Models  []string `json:"models" doc:"Models that are now as the manifest says"`
	Devices []string `json:"devices" doc:"Devices that are now as the manifest says"`
	Wishes  []Wish   `json:"wishes,omitempty" doc:"Wishes made of desired values that changed"`
	Notes   []string `json:"notes,omitempty" doc:"What was read and has no effect"`
}

// Models is a page of models.
type Models struct {
	Models []Model `json:"models"`
	Next   string  `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one"`
}

// Health tells how the server is. Who did not say who he is may be told the status alone.
type Health struct {
	Status  string `json:"status" enum:"ok,degraded"`
	Version string `json:"version,omitempty"`
	Node    string `json:"node,omitempty"`
	Uptime  string `json:"uptime,omitempty" example:"3h5m0s"`
	Devices *int   `json:"devices,omitempty"`
	Online  *int   `json:"online,omitempty"`
	Pending *int   `json:"pending,omitempty" doc:"Wishes that have not ended"`
	Hub     string `json:"hub,omitempty" doc:"Of a node: how the link to its hub is; absent if it has joined none"`
	Nodes   *int   `json:"nodes,omitempty" doc:"Of a hub"`
	Away    *int   `json:"nodesAway,omitempty" doc:"Nodes that are not connected"`
	Trouble string `json:"trouble,omitempty" doc:"What makes it degraded"`
}
