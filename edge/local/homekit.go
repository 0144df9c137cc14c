package local

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
)

// HomeKit is the bridge to HomeKit, which another room holds.
type HomeKit interface {
	// State tells what is shown, and who has paired.
	State() deviceapi.HomeKit
	// Reset makes a new bridge of that number, durably: all pairings are gone, it has another id and code.
	// twin.ErrNotFound if there is none.
	Reset(bridge int) error
}

type homekitOutput struct{ Body deviceapi.HomeKit }

type resetInput struct {
	Bridge int `path:"bridge" minimum:"1" maximum:"100"`
}

// homekitRoutes adds the operations of the bridge.
func homekitRoutes(bridge HomeKit) func(huma.API) {
	return func(h huma.API) {
		huma.Register(h, huma.Operation{
			OperationID: "get-homekit", Method: http.MethodGet, Path: "/v1/homekit", Summary: "Tell what HomeKit is shown, and who has paired",
			Errors: deviceapi.Failures(),
		}, func(context.Context, *struct{}) (*homekitOutput, error) { return &homekitOutput{bridge.State()}, nil })
		huma.Register(h, huma.Operation{
			OperationID: "reset-homekit", Method: http.MethodPost, Path: "/v1/homekit/{bridge}/reset", Summary: "Forget all pairings of a bridge",
			Description:   "It gets another id and another setup code: phones see a new bridge, and the rooms and names that they gave are lost.",
			DefaultStatus: http.StatusNoContent, Errors: deviceapi.Failures(http.StatusNotFound),
		}, func(_ context.Context, in *resetInput) (*struct{}, error) {
			if err := bridge.Reset(in.Bridge); err != nil {
				return nil, deviceapi.Answer(err)
			}
			return nil, nil
		})
	}
}
