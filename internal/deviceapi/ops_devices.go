package deviceapi

import (
	"context"
	"net/http"
	"reflect"
	"slices"
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

// filter is which devices a list or a stream is about.
type filter struct {
	Namespace string `query:"namespace" doc:"Only devices of this namespace"`
	Model     string `query:"model" doc:"Only devices of this model, as namespace/name"`
	Node      string `query:"node" doc:"Only devices of this node"`
}

func (f *filter) check() error {
	if f.Model == "" {
		return nil
	}
	n, err := twin.ParseName(f.Model)
	if err != nil {
		return err
	}
	f.Model = n.String()
	return nil
}

func (f *filter) wants(n twin.Name) bool { return f.Namespace == "" || f.Namespace == n.Namespace }

func (f *filter) wantsView(v *twin.View) bool {
	d := v.Device
	return (f.Model == "" || f.Model == d.Model.String()) && (f.Node == "" || f.Node == d.Node)
}

type listInput struct {
	Namespace string `query:"namespace" doc:"Only devices of this namespace"`
	Model     string `query:"model" doc:"Only devices of this model, as namespace/name"`
	Node      string `query:"node" doc:"Only devices of this node"`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"500"`
	Cursor    string `query:"cursor" doc:"next of the page before" maxLength:"257"`
}

type listOutput struct{ Body List }

type deviceOutput struct {
	ETag string `header:"ETag" doc:"What was seen of the wishes, for If-Match; no report changes it"`
	Body Device
}

func (a *api) deviceRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices", Summary: "List devices",
		Errors: failures(),
	}, a.list)
	huma.Register(h, huma.Operation{
		OperationID: "get-device", Method: http.MethodGet, Path: "/v1/devices/{namespace}/{name}",
		Summary: "Read a device and its twin", Errors: failures(http.StatusNotFound),
	}, a.get)
	huma.Register(h, huma.Operation{
		OperationID: "delete-device", Method: http.MethodDelete, Path: "/v1/devices/{namespace}/{name}",
		Summary: "Remove a device for good", DefaultStatus: http.StatusNoContent,
		Errors: failures(http.StatusNotFound, http.StatusConflict),
	}, a.remove)
}

func (a *api) list(ctx context.Context, in *listInput) (*listOutput, error) {
	f := &filter{Namespace: in.Namespace, Model: in.Model, Node: in.Node}
	if err := f.check(); err != nil {
		return nil, problem(err)
	}
	names, err := a.service.Devices(ctx)
	if err != nil {
		return nil, problem(err)
	}
	from := 0
	if in.Cursor != "" {
		last, err := twin.ParseName(in.Cursor)
		if err != nil || !strings.Contains(in.Cursor, "/") {
			return nil, problem(&twin.FieldError{Field: "cursor", Value: clip(in.Cursor), Want: "next of the page before"})
		}
		at, found := slices.BinarySearchFunc(names, last, twin.Name.Compare)
		if from = at; found {
			from++
		}
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

func (a *api) get(ctx context.Context, in *nameInput) (*deviceOutput, error) {
	name, err := in.name()
	if err != nil {
		return nil, problem(err)
	}
	// Before the view: should the store get another id in between, a guard with the tag is refused where it need not be.
	store := a.service.StoreID()
	v, err := settledView(ctx, a.service, name, nil, hiddenFor)
	if err != nil {
		return nil, problem(err)
	}
	return &deviceOutput{ETag: etag(store, &v), Body: DeviceOf(&v)}, nil
}

func (a *api) remove(ctx context.Context, in *nameInput) (*struct{}, error) {
	name, err := in.name()
	if err != nil {
		return nil, problem(err)
	}
	if err := a.service.Delete(ctx, name); err != nil {
		return nil, problem(err)
	}
	return nil, nil
}

// fieldOf gives what huma wants in order to describe a T: a field of that type.
func fieldOf[T any]() reflect.StructField { return reflect.StructField{Type: reflect.TypeFor[T]()} }
