package deviceapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// maxNames bounds the names of a query, in bytes: with all of them escaped they still fit into the headers of a request.
const maxNames = 4096

type profileInput struct {
	Devices string `query:"devices" maxLength:"4096" example:"lamp garden/porch" doc:"Names with one space (in a URL: +) between them; all devices without it"`
}

// textOutput is an answer that was written elsewhere, as it is.
type textOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"` // OpenAPI has it beside the schema
	Body        []byte
}

func (a *api) manifestRoutes(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "get-manifest", Method: http.MethodGet, Path: "/v1/manifests/{namespace}/{name}",
		Summary: "Read a device and its model as a manifest",
		Description: "KubeEdge's Device and DeviceModel, v1beta1, as apply takes them. What is expected of the device is not in it: " +
			"to apply it switches nothing. 409 if a manifest cannot say what the device is.",
		Errors: Failures(http.StatusNotFound, http.StatusConflict),
		Responses: map[string]*huma.Response{"200": {
			Description: "The manifest",
			Content:     map[string]*huma.MediaType{"application/yaml": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, func(ctx context.Context, in *nameInput) (*textOutput, error) {
		name, err := in.name()
		if err != nil {
			return nil, problem(err)
		}
		text, err := a.service.Manifest(ctx, name)
		if err != nil {
			return nil, problem(err)
		}
		return &textOutput{"application/yaml", text}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-profile", Method: http.MethodGet, Path: "/v1/profile",
		Summary: "Read devices as deviceProfile.json",
		Description: "The file from which KubeEdge's MQTT mappers before v1.12 learn their devices, with their expected and actual " +
			"values of this moment. defaultValue of a property is not kept, and so is not in it.",
		Errors: Failures(http.StatusNotFound, http.StatusConflict),
		Responses: map[string]*huma.Response{"200": {
			Description: "The profile",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}},
		}},
	}, a.profile)
}

func (a *api) profile(ctx context.Context, in *profileInput) (*textOutput, error) {
	names, err := parseNames(in.Devices)
	if err != nil {
		return nil, problem(err)
	}
	text, err := a.service.Profile(ctx, names)
	if err != nil {
		return nil, problem(err)
	}
	return &textOutput{"application/json", text}, nil
}

// parseNames reads names with a space between each two, which is what no name has in it.
func parseNames(text string) ([]twin.Name, error) {
	if text == "" {
		return nil, nil
	}
	var names []twin.Name
	for _, word := range strings.Split(text, " ") {
		n, err := twin.ParseName(word)
		if err != nil {
			return nil, fmt.Errorf("devices: %w", err)
		}
		names = append(names, n)
	}
	return names, nil
}

// joinNames is the inverse of parseNames.
func joinNames(names []twin.Name) (string, error) {
	words := make([]string, len(names))
	for i := range names {
		words[i] = names[i].String()
	}
	text := strings.Join(words, " ")
	if len(text) > maxNames {
		return "", &twin.FieldError{
			Field: "devices", Value: fmt.Sprintf("%d names", len(names)),
			Want: fmt.Sprintf("at most %d bytes of names; ask for some of them, or name none for all", maxNames),
		}
	}
	return text, nil
}
