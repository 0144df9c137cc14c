package deviceapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// MaxStreams bounds the event streams that are open at once; who asks for one more is told to come back.
const MaxStreams = 64

// api is a service with its operations.
type api struct {
	service Service
	streams chan struct{} // a token for each open stream
}

// New makes the handler that serves a service: its operations, /openapi.json, /healthz and, if there are some, /metrics.
func New(s Service, o Options) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("twinbridge devices", o.Version)
	config.Info.Description = "Devices, what is expected of them and what they do."
	// The page that huma would serve loads scripts from elsewhere, schema links are noise in each answer, and its own
	// route for the description fills a variable without a lock.
	config.DocsPath, config.SchemasPath, config.OpenAPIPath, config.CreateHooks = "", "", "", nil
	config.RejectUnknownQueryParameters = true
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format} // the second is what ends in +json
	h := humago.New(mux, config)
	a := &api{service: s, streams: make(chan struct{}, MaxStreams)}
	a.deviceRoutes(h)
	a.wishRoutes(h)
	a.watchRoute(h)
	a.modelRoutes(h)
	a.manifestRoutes(h)
	a.serverRoutes(h)
	mux.HandleFunc("GET /openapi.json", describe(h.OpenAPI()))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	return limit(mux)
}

// writeJSON writes a value and nothing behind it.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return err
}

// describe serves the OpenAPI description, written out when it is first asked for: an edge that starts does not wait
// for it.
func describe(doc *huma.OpenAPI) http.HandlerFunc {
	text := sync.OnceValues(func() ([]byte, error) { return json.Marshal(doc) })
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := text()
		if err != nil {
			writeProblem(w, http.StatusInternalServerError, "write the description: "+err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = bytes.NewReader(body).WriteTo(w) // who hung up is not told
	}
}

// jsonBody describes a body that the operation decodes itself, because huma's own way takes a key twice and keeps the
// last.
func jsonBody[T any](h huma.API, name string) *huma.RequestBody {
	schemas := h.OpenAPI().Components.Schemas
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromField(schemas, fieldOf[T](), name)},
	}}
}

// failures are the statuses that any operation may answer.
func failures(more ...int) []int {
	return append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, more...)
}
