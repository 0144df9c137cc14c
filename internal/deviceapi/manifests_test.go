package deviceapi_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// TestTextAnswers: manifest and profile come as they were written, under their own types, and are described so.
func TestTextAnswers(t *testing.T) {
	h := newHouse(t)
	for path, kind := range map[string]string{"/v1/manifests/default/lamp": "application/yaml", "/v1/profile": "application/json"} {
		if got := h.do("GET", path, "").header.Values("Content-Type"); len(got) != 1 || got[0] != kind {
			t.Errorf("%s: Content-Type %q, want %s", path, got, kind)
		}
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]any
				Headers map[string]any
			}
		}
	}
	if err := json.Unmarshal(h.do("GET", "/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{"/v1/manifests/{namespace}/{name}": "application/yaml", "/v1/profile": "application/json"} {
		said := doc.Paths[path]["get"].Responses
		if ok := said["200"]; len(ok.Content) != 1 || ok.Content[kind] == nil || len(ok.Headers) != 0 {
			t.Errorf("%s: 200 is described as %+v, want %s alone", path, ok, kind)
		}
		for _, status := range []string{"404", "409", "422"} {
			if said[status].Content["application/problem+json"] == nil {
				t.Errorf("%s: %s is described as %+v, want a problem", path, status, said[status])
			}
		}
	}
}

func TestClientTexts(t *testing.T) {
	h := newHouse(t)
	if text, err := h.client.Manifest(t.Context(), lamp); err != nil || string(text) != "kind: Device\nname: default/lamp\n" {
		t.Errorf("manifest: %q, %v", text, err)
	}
	for want, names := range map[string][]twin.Name{
		`{"names": []}` + "\n": nil, `{"names": ["garden/porch" "default/lamp"]}` + "\n": {porch, lamp},
	} {
		if text, err := h.client.Profile(t.Context(), names); err != nil || string(text) != want {
			t.Errorf("profile of %v: %q, %v; want %q", names, text, err, want)
		}
	}
	attic := twin.Name{Namespace: "default", Name: "attic"}
	var p *deviceapi.Problem
	if _, err := h.client.Manifest(t.Context(), attic); !errors.As(err, &p) || p.Status != 404 {
		t.Errorf("manifest of nothing: %v, want a problem 404", err)
	}
	if _, err := h.client.Profile(t.Context(), []twin.Name{attic}); !errors.As(err, &p) || p.Status != 404 {
		t.Errorf("profile of nothing: %v, want a problem 404", err)
	}
	// Names of the greatest length that is let through, every byte of which has to be escaped, still fit into a request.
	wide := twin.Name{Namespace: "n", Name: strings.Repeat("%", 128)}
	names := slices.Repeat([]twin.Name{wide}, 31)
	if _, err := h.client.Profile(t.Context(), names); !errors.As(err, &p) || p.Status != 404 {
		t.Errorf("31 long names: %v, want a problem 404", err)
	}
	var f *twin.FieldError
	if _, err := h.client.Profile(t.Context(), append(names, wide)); !errors.As(err, &f) || f.Field != "devices" {
		t.Errorf("32 long names: %v, want devices to be at fault", err)
	}
}
