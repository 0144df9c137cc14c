package deviceapi

import (
	"context"
	"net/http"
	"reflect"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// maxPage is the longest page of a list.
const maxPage = 1000

// nameInput is the device or model of a path. Inputs with more have the two fields again, as huma does not look into an
// embedded type that is not exported.
type nameInput struct {
	Namespace string `path:"namespace" maxLength:"128"`
	Name      string `path:"name" maxLength:"128"`
}

func (in *nameInput) name() (twin.Name, error) { return pathName(in.Namespace, in.Name) }

func pathName(namespace, name string) (twin.Name, error) {
	n := twin.Name{Namespace: namespace, Name: name}
	return n, n.Validate()
}

type listInput struct {
	Namespace string   `query:"namespace" doc:"Only devices of this namespace"`
	Model     string   `query:"model" doc:"Only devices of this model, as namespace/name"`
	Node      string   `query:"node" doc:"Only devices of this node"`
	Label     []string `query:"label,explode" maxItems:"64" example:"room=hall" doc:"Only devices with this label, as key=value; may be repeated"`
	Limit     int      `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	Cursor    string   `query:"cursor" doc:"next of the page before" maxLength:"257"`
}

type listOutput struct{ Body List }

type deviceOutput struct {
	ETag string `header:"ETag" doc:"What was seen of the wishes, for If-Match; no report changes it"`
	Body Device
}

func (a *api) deviceRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices", Summary: "List devices",
		Errors: Failures(),
	}, a.list)
	huma.Register(h, huma.Operation{
		OperationID: "get-device", Method: http.MethodGet, Path: "/v1/devices/{namespace}/{name}",
		Summary: "Read a device and its twin", Errors: Failures(http.StatusNotFound),
	}, a.get)
	huma.Register(h, huma.Operation{
		OperationID: "delete-device", Method: http.MethodDelete, Path: "/v1/devices/{namespace}/{name}",
		Summary: "Remove a device for good", DefaultStatus: http.StatusNoContent,
		Errors: Failures(http.StatusNotFound, http.StatusConflict),
	}, a.remove)
}

func (a *api) list(ctx context.Context, in *listInput) (*listOutput, error) {
	f, err := newFilter(in.Namespace, in.Model, in.Node, in.Label)
	if err != nil {
		return nil, problem(err)
	}
	a.changes.sync(ctx) // where nobody follows, the names of what is gone would gather
	names, err := a.service.Devices(ctx)
	if err != nil {
		return nil, problem(err)
	}
	from, err := after(in.Cursor, len(names), func(i int) twin.Name { return names[i] })
	if err != nil {
		return nil, problem(err)
	}
	out := &listOutput{Body: List{Devices: []Device{}}}
	for _, name := range names[from:] {
		if !f.wants(name) {
			continue
		}
		v, err := a.service.Device(ctx, name)
		if err != nil || !f.wantsView(&v) {
			continue // deleted in between, or not asked for
		}
		if n := len(out.Body.Devices); n == in.Limit {
			out.Body.Next = out.Body.Devices[n-1].FullName()
			break
		}
		out.Body.Devices = append(out.Body.Devices, DeviceOf(&v))
	}
	return out, nil
}

// after gives where a page begins: behind the name that the cursor says.
func after(cursor string, n int, name func(int) twin.Name) (from int, err error) {
	if cursor == "" {
		return 0, nil
	}
	last, err := twin.ParseName(cursor)
	if err != nil || !strings.Contains(cursor, "/") {
		return 0, &twin.FieldError{Field: "cursor", Value: clip(cursor), Want: "next of the page before"}
	}
	return sort.Search(n, func(i int) bool { return name(i).Compare(last) > 0 }), nil
}

func (a *api) get(ctx context.Context, in *nameInput) (*deviceOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, problem(err)
	}
	v, err := settled(ctx, a.service, name, nil, hiddenFor)
	if err != nil {
		return nil, problem(err)
	}
	return &deviceOutput{ETag: etag(&v), Body: DeviceOf(&v)}, nil
}

func (a *api) remove(ctx context.Context, in *nameInput) (*struct{}, error) {
	name, err := in.name()
	if err != nil {
		return nil, problem(err)
	}
	if err := a.service.Delete(ctx, name); err != nil {
		return nil, problem(err)
	}
	a.changes.sync(ctx)
	return nil, nil
}

// fieldOf gives what huma wants in order to describe a T: a field of that type.
func fieldOf[T any]() reflect.StructField { return reflect.StructField{Type: reflect.TypeFor[T]()} }
