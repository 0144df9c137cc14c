package deviceapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// MaxStreams bounds the event streams that are open at once, where Options do not; who asks for one more is told to come
// back.
const MaxStreams = 64

// api is a service with its operations.
type api struct {
	service Service
	options Options
	changes *changes
	streams *openStreams
	batches chan struct{} // a token for each batch that is on its way
}

// New makes the handler that serves a service: its operations, /openapi.json, /healthz and, if there are some, /metrics.
func New(s Service, o Options) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig(cmp.Or(o.Title, "twinbridge devices"), o.Version)
	config.Info.Description = cmp.Or(o.About, "Devices, what is expected of them and what they do.")
	// The page that huma would serve loads scripts from elsewhere, schema links are noise in each answer, and its own
	// route for the description fills a variable without a lock.
	config.DocsPath, config.SchemasPath, config.OpenAPIPath, config.CreateHooks = "", "", "", nil
	config.RejectUnknownQueryParameters = true
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format} // the second is what ends in +json
	h := humago.New(mux, config)
	a := &api{
		service: s, options: o, changes: newChanges(s), streams: &openStreams{limits: o.Streams, of: map[string]int{}},
		batches: make(chan struct{}, maxBatches),
	}
	a.deviceRoutes(h)
	a.wishRoutes(h)
	a.batchRoute(h)
	a.watchRoute(h)
	a.modelRoutes(h)
	a.manifestRoutes(h)
	a.serverRoutes(h)
	if o.Routes != nil {
		o.Routes(h)
	}
	mux.HandleFunc("GET /openapi.json", describe(h.OpenAPI()))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	return limit(mux, o.Admit)
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
			WriteProblem(w, http.StatusInternalServerError, "write the description: "+err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = bytes.NewReader(body).WriteTo(w) // who hung up is not told
	}
}

// BodyOf describes a body that the operation decodes itself ([Decode]), because huma's own way takes a key twice and keeps
// the last.
func BodyOf[T any](h huma.API, name string) *huma.RequestBody {
	schemas := h.OpenAPI().Components.Schemas
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromField(schemas, fieldOf[T](), name)},
	}}
}

// Failures are the statuses that any operation may answer, beside those that huma knows of.
func Failures(more ...int) []int {
	return append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, more...)
}
