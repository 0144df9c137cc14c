package twin_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"twinbridge/twin"
)

// rangeTo narrows the level of the lamp.
func rangeTo(most float64) func(*twin.Device) {
	return func(d *twin.Device) { d.Properties[1].Max = &most }
}

func without(name string) func(*twin.Device) {
	return func(d *twin.Device) {
		d.Properties = slices.DeleteFunc(d.Properties, func(p twin.Property) bool { return p.Name == name })
	}
}

func retype(name string, typ twin.Type) func(*twin.Device) {
	return func(d *twin.Device) {
		for i := range d.Properties {
			if p := &d.Properties[i]; p.Name == name {
				*p = twin.Property{Name: name, Type: typ}
			}
		}
	}
}

// Rule 6: a definition that changes a type or range keeps what still fits.
func TestDefinitionChanges(t *testing.T) {
	tests := []struct {
		rule   string
		before string
		change func(*twin.Device)
		after  string
	}{
		{"what still fits is kept", `
			ready level=50 power=ON`, rangeTo(60), `
			see level e=50 a=50 by=restore
			see power e=ON a=ON
			revs 1
			offers 0`},
		{"the same definition again changes nothing", `
			ready level=50`, nil, `
			revs 0`},
		{"expected does not fit: to actual, if that fits", `
			ready level=10
			ask w1 level=80`, rangeTo(60), `
			outcome w1 -> superseded by definition: level
			see level e=10 a=10 by=restore`},
		{"what was offered of it is handed over", `
			ready level=10
			ask w1 level=80
			look`, rangeTo(60), `
			see level e=10 w=restore
			offers 1`},
		{"expected and actual do not fit: absent", `
			ready level=80`, rangeTo(60), `
			see level e=- a=80 w=-`},
		{"then the first report sets it", `
			ready level=80
			look`, rangeTo(60), `
			report level=40
			see level e=40 a=40 by=restore w=-
			offers 0`},
		{"another type: expected and actual go", `
			ready power=ON`, retype("power", twin.Bool), `
			see power e=- a=- w=-
			report power=true
			see power e=true a=true by=restore`},
		{"a removed property takes its wish along", `
			ready level=10
			ask w1 level=80`, without("level"), `
			outcome w1 -> superseded by definition: level`},
		{"a wish on two goes on with the one that is left, and is handed over", `
			ready level=10 power=OFF
			ask w1 level=80 power=ON
			look`, without("level"), `
			outcome w1 -> pending
			see power e=ON w=w1
			offers 1
			report power=ON
			outcome w1 -> superseded by definition: level`},
		{"an unequal report of the one that is left is answered by an offer", `
			ready level=10 power=OFF
			ask w1 level=80 power=ON`, without("level"), `
			wait 1s
			look
			report power=OFF
			offers 1`},
		{"a press that had shown the removed property still ends", `
			ready level=10 power=OFF
			ask p1 5s level=80 power=ON
			echo level=80#p1`, without("level"), `
			wait 5s
			outcome p1 -> expired...
			see power e=OFF w=restore`},
		{"also at a start", `
			ready level=10 power=OFF
			ask p1 1h level=80 power=ON
			echo level=80#p1`, without("level"), `
			commit
			restart
			outcome p1 -> expired...`},
		{"a property that becomes read-only expects what it shows", `
			ready level=10
			ask w1 level=80`, func(d *twin.Device) { d.Properties[1].Access = twin.ReadOnly }, `
			outcome w1 -> superseded by definition: level`},
		{"a definition is nobody's act", `
			ready level=10
			ask w1 level=80
			commit
			mark level`, rangeTo(60), `
			commit
			link
			cloud c1 waited seen=mark level=20
			outcome c1 -> pending`},
	}
	for _, tc := range tests {
		t.Run(tc.rule, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			r.play(tc.before)
			r.define(nil, tc.change)
			r.play(tc.after)
		})
	}
}

// Rule 6: a changed model re-validates its devices at once; all or nothing.
func TestModelChanges(t *testing.T) {
	model := func(most float64) twin.DeviceModel {
		props := lampProps()
		props[1].Max = &most
		return twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: "bulb"}, Properties: props}
	}
	r := newRig(t)
	dev := twin.Device{Name: lampName, Model: model(0).Name}
	if err := r.node.Apply(r.now, []twin.DeviceModel{model(100)}, []twin.Device{dev}); err != nil {
		t.Fatal(err)
	}
	r.play(`
		commit
		ready level=10
		ask w1 level=80 -> pending`)
	if err := r.node.Apply(r.now, []twin.DeviceModel{model(60)}, nil); err != nil {
		t.Fatal(err)
	}
	r.play(`
		outcome w1 -> superseded by definition: level
		see level e=10 a=10`)

	bad := model(60)
	bad.Properties[1].Type = twin.TypeNone
	before := r.node.Rev()
	if err := r.node.Apply(r.now, []twin.DeviceModel{bad}, nil); err == nil {
		t.Error("a model without a type was taken")
	}
	other := twin.Device{Name: twin.Name{Namespace: "default", Name: "other"}, Model: twin.Name{Namespace: "default", Name: "nothing"}}
	if err := r.node.Apply(r.now, []twin.DeviceModel{model(40)}, []twin.Device{other}); field(err) != "deviceModelRef" {
		t.Errorf("a device of a model that does not exist: got %v", err)
	}
	if got := r.node.Rev(); got != before {
		t.Errorf("refused definitions took revs: %d, was %d", got, before)
	}
	if v := r.view(); *v.Prop("level").Def.Max != 60 {
		t.Errorf("a refused Apply changed the range to %v", *v.Prop("level").Def.Max)
	}
}

// Rule 6: identity and deletion.
func TestIdentity(t *testing.T) {
	runRows(t, []row{
		{"deletion ends what is left of wishes, readable", `
			ready power=OFF
			ask w1 power=ON
			ask w0 level=50
			delete
			outcome w1 -> superseded by deleted: power
			outcome w0 -> superseded by deleted: level
			report power=ON -> not found`},
		{"outcomes from before it stay readable too", `
			ready power=OFF
			ask w1 power=ON
			report power=ON
			delete
			outcome w1 -> applied`},
		{"and after a restart", `
			ready power=OFF
			ask w1 power=ON
			delete
			commit
			restart
			outcome w1 -> superseded by deleted: power`},
		{"another creation begins with nothing", `
			ready power=OFF
			ask w1 power=ON
			delete
			again
			see power e=- a=- w=-
			presence -> unknown`},
		{"a wish of the cloud under another uid is answered superseded(deleted)", `
			ready power=OFF
			link
			cloud c1 uid=uid-of-before power=ON
			commit
			told -> def:1 power=OFF/restore 1:c1:superseded
			see power e=OFF w=-
			offers 0`},
		{"the tombstone comes with every outcome", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			told -> def:1 power=ON/cloud
			delete
			commit
			told -> gone 1:c1:superseded`},
	})

	r := newLamp(t, nil, nil)
	first := r.uid
	if err := r.node.Delete(r.now, lampName); err != nil {
		t.Fatal(err)
	}
	r.define(nil, nil)
	if r.uid == first {
		t.Error("another creation has the same uid")
	}
	v := r.view()
	if got := v.Device.Generation; got != 1 {
		t.Errorf("generation of the new creation: got %d, want 1", got)
	}
}

// Rule 6: only the definer changes a definition.
func TestDefiner(t *testing.T) {
	r := newRig(t)
	r.play("link")
	cloud := twin.Device{Name: lampName, UID: "u1", Generation: 3, Definer: twin.DefinedByCloud, Node: "attic", Properties: lampProps()}
	if err := r.node.DefineCloud(r.now, twin.Definition{Device: cloud}); err != nil {
		t.Fatal(err)
	}
	mine := twin.Device{Name: lampName, Properties: lampProps()}
	if err := r.node.Apply(r.now, nil, []twin.Device{mine}); !errors.Is(err, twin.ErrNotOwner) {
		t.Errorf("the node defines over the cloud: got %v", err)
	}
	if err := r.node.Delete(r.now, lampName); !errors.Is(err, twin.ErrNotOwner) {
		t.Errorf("the node deletes what the cloud defines: got %v", err)
	}

	old := cloud
	old.Generation, old.Description = 2, "older"
	if err := r.node.DefineCloud(r.now, twin.Definition{Device: old}); err != nil {
		t.Fatal(err)
	}
	if v := r.view(); v.Device.Description != "" || v.Device.Generation != 3 {
		t.Errorf("an older generation was taken: %d %q", v.Device.Generation, v.Device.Description)
	}
	bad := cloud
	bad.Generation, bad.Properties = 4, []twin.Property{{Name: "x y", Type: twin.Bool}}
	if err := r.node.DefineCloud(r.now, twin.Definition{Device: bad}); err == nil {
		t.Error("a definition that does not resolve was taken")
	}
	if v := r.view(); v.Device.Generation != 3 {
		t.Errorf("a bad definition changed the device: generation %d", v.Device.Generation)
	}

	r.uid = "u1"
	r.play(`
		commit
		ready power=OFF
		ask w1 power=ON`)
	gone := twin.Definition{Device: twin.Device{Name: lampName, UID: "u1", Generation: 3}, Removed: true}
	if err := r.node.DefineCloud(r.now, gone); err != nil {
		t.Fatal(err)
	}
	r.play(`
		outcome w1 -> superseded by deleted: power
		report power=ON -> not found
		commit
		told -> gone
		ack
		told ->`)

	own := newLamp(t, nil, nil)
	own.play("link")
	err := own.node.DefineCloud(own.now, twin.Definition{Device: cloud})
	if field(err) != "device" {
		t.Errorf("the cloud defines over the node: got %v", err)
	}
	own.wait(time.Minute)
	if v := own.view(); v.Device.UID != own.uid {
		t.Error("the cloud's definition took the place of the node's")
	}
}
