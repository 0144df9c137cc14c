package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

type auditInput struct {
	Device string `query:"device" maxLength:"257" example:"default/lamp" doc:"Only what is about this device"`
	Who    string `query:"who" maxLength:"128" doc:"Only what this token, by name, or person did"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"19" pattern:"^[1-9][0-9]*$" doc:"next of the page before"`
}

type auditOutput struct{ Body deviceapi.Audit }

func (a *API) auditRoute(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "read-audit", Method: http.MethodGet, Path: "/v1/audit", Summary: "Read who did what, newest first",
		Description: "The last 10,000 acts, fewer if they were wishes for very many devices.",
		Errors:      deviceapi.Failures(),
	}, func(_ context.Context, in *auditInput) (*auditOutput, error) {
		before := uint64(0)
		if in.Cursor != "" {
			var err error
			if before, err = strconv.ParseUint(in.Cursor, 10, 64); err != nil || before == 0 {
				return nil, deviceapi.Answer(&twin.FieldError{Field: "cursor", Value: clip(in.Cursor), Want: "next of the page before"})
			}
		}
		device := in.Device
		if device != "" {
			n, err := twin.ParseName(device)
			if err != nil {
				return nil, deviceapi.Answer(err)
			}
			device = n.String()
		}
		out := &auditOutput{}
		entries, next := a.audit.page(device, in.Who, before, in.Limit)
		if out.Body.Entries = entries; next != 0 {
			out.Body.Next = strconv.FormatUint(next, 10)
		}
		return out, nil
	})
}
