package topic

import (
	"errors"
	"strings"
	"testing"

	"twinbridge/twin"
)

func TestTopics(t *testing.T) {
	lamp := twin.Name{Namespace: "default", Name: "lamp"}
	hall := twin.Name{Namespace: "hall", Name: "lamp"}
	for _, c := range []struct {
		name string
		want Topic
	}{
		{"$hw/events/device/lamp/twin/update", Topic{TwinUpdate, lamp, OneLevel, ""}},
		{"$hw/events/device/default/lamp/twin/update", Topic{TwinUpdate, lamp, TwoLevel, ""}},
		{"$hw/events/device/hall/lamp/twin/update/result", Topic{TwinUpdateResult, hall, TwoLevel, ""}},
		{"$hw/events/device/lamp/twin/update/result", Topic{TwinUpdateResult, lamp, OneLevel, ""}},
		{"$hw/events/device/hall/lamp/twin/update/document", Topic{TwinDocument, hall, TwoLevel, ""}},
		{"$hw/events/device/hall/lamp/twin/update/delta", Topic{TwinDelta, hall, TwoLevel, ""}},
		{"$hw/events/device/hall/lamp/twin/get", Topic{TwinGet, hall, TwoLevel, ""}},
		{"$hw/events/device/lamp/twin/get/result", Topic{TwinGetResult, lamp, OneLevel, ""}},
		{"$hw/events/device/hall/lamp/twin/cloud_updated", Topic{TwinCloudUpdated, hall, TwoLevel, ""}},
		{"$hw/events/device/hall/lamp/state/update", Topic{StateUpdate, hall, TwoLevel, ""}},
		{"$hw/events/device/lamp/state/update/result", Topic{StateUpdateResult, lamp, OneLevel, ""}},
		{"$hw/events/device/hall/lamp/updated", Topic{DeviceUpdated, hall, TwoLevel, ""}},
		{"$ke/events/device/lamp/data/update", Topic{DataUpdate, lamp, OneLevel, ""}},
		{"$ke/events/device/hall/lamp/data/update", Topic{DataUpdate, hall, TwoLevel, ""}},
		{"$hw/events/node/edge1/membership/get", Topic{MembershipGet, twin.Name{}, TwoLevel, "edge1"}},
		{"$hw/events/node/edge1/membership/get/result", Topic{MembershipResult, twin.Name{}, TwoLevel, "edge1"}},
		{"$hw/events/node/edge1/membership/updated", Topic{MembershipUpdated, twin.Name{}, TwoLevel, "edge1"}},
		{"$twinbridge/mapper/m-1/lost", Topic{MapperLost, twin.Name{}, TwoLevel, "m-1"}},
		// Devices whose names are words of the topics.
		{"$hw/events/device/twin/twin/update", Topic{TwinUpdate, twin.Name{Namespace: "default", Name: "twin"}, OneLevel, ""}},
		{"$hw/events/device/twin/twin/twin/update", Topic{TwinUpdate, twin.Name{Namespace: "twin", Name: "twin"}, TwoLevel, ""}},
		{"$hw/events/device/a/twin/twin/update/result", Topic{TwinUpdateResult, twin.Name{Namespace: "a", Name: "twin"}, TwoLevel, ""}},
		{"$hw/events/device/state/update/state/update", Topic{StateUpdate, twin.Name{Namespace: "state", Name: "update"}, TwoLevel, ""}},
		{"$hw/events/device/küche/lämpchen/twin/get", Topic{TwinGet, twin.Name{Namespace: "küche", Name: "lämpchen"}, TwoLevel, ""}},
	} {
		got, err := Parse(c.name)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.name, got, err, c.want)
		}
		if s := c.want.String(); s != c.name {
			t.Errorf("%+v is written %q, want %q", c.want, s, c.name)
		}
	}
}

func TestTopicsOfOthers(t *testing.T) {
	for _, name := range []string{
		"", "/", "$hw", "$hw/events/device/", "$hw/events/device/lamp", "$hw/events/device/lamp/twin", "$hw/events/device/lamp/twin/updat",
		"$hw/events/device/lamp/twin/update/", "$hw/events/device/a/b/c/twin/update", "$hw/events/device/lamp/data/update",
		"$hw/events/node//membership/get", "$hw/events/node/a/b/membership/get", "$ke/events/device/lamp/twin/update",
		"$twinbridge/mapper//lost", "$twinbridge/mapper/a/b/lost", "hw/events/device/lamp/twin/update", "$HW/events/device/lamp/twin/update",
		"lamp/user/x", "$SYS/broker/version",
	} {
		if got, err := Parse(name); !errors.Is(err, ErrOther) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrOther", name, got, err)
		}
	}
	for _, name := range []string{
		"$hw/events/device//twin/update", "$hw/events/device/ /twin/update", "$hw/events/device//lamp/twin/update",
		"$hw/events/device/a//twin/update", "$hw/events/device/" + strings.Repeat("x", 129) + "/twin/update",
	} {
		var fe *twin.FieldError
		if got, err := Parse(name); !errors.As(err, &fe) || got.Kind != TwinUpdate {
			t.Errorf("Parse(%q) = %+v, %v; want a twin/update and a FieldError", name, got, err)
		}
	}
}

func TestAliases(t *testing.T) {
	for _, c := range []struct {
		from, to string
	}{
		{"$hw/events/device/default/lamp/twin/update/delta", "$hw/events/device/lamp/twin/update/delta"},
		{"$hw/events/device/lamp/twin/update/delta", "$hw/events/device/default/lamp/twin/update/delta"},
		{"$hw/events/device/hall/lamp/twin/update/delta", ""},
	} {
		in, err := Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if a, ok := in.Alias(); ok {
			got = a.String()
		}
		if got != c.to {
			t.Errorf("alias of %q: %q, want %q", c.from, got, c.to)
		}
	}
}

func TestAnswersAreTheEdges(t *testing.T) {
	for k := Unknown; k <= MapperLost; k++ {
		s := k.String()
		want := strings.HasSuffix(s, "/result") || s == "twin/update/document" || s == "twin/update/delta" || s == "updated" || s == "membership/updated"
		if got := k.Answer(); got != want {
			t.Errorf("%s: Answer() = %v, want %v", s, got, want)
		}
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Filter(TwinDelta, TwoLevel), "$hw/events/device/+/+/twin/update/delta"},
		{Filter(TwinDelta, OneLevel), "$hw/events/device/+/twin/update/delta"},
		{Filter(DataUpdate, OneLevel), "$ke/events/device/+/data/update"},
		{Filter(MembershipGet, TwoLevel), "$hw/events/node/+/membership/get"},
		{Filter(MapperLost, TwoLevel), "$twinbridge/mapper/+/lost"},
	} {
		if c.got != c.want {
			t.Errorf("filter %q, want %q", c.got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$hw/events/device/default/lamp/twin/update")
	f.Add("$hw/events/device/twin/twin/update")
	f.Add("$hw/events/node/edge1/membership/get")
	f.Add("$ke/events/device/lamp/data/update")
	f.Add("$twinbridge/mapper/x/lost")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if err != nil {
			return
		}
		if got.Kind == Unknown || got.String() != s {
			t.Fatalf("%q was read as %+v, which is written %q", s, got, got.String())
		}
	})
}
