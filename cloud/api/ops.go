package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// routes adds the hub's own operations, and to all of them what comes of who asks.
func (a *API) routes(h huma.API) {
	a.nodeRoutes(h)
	a.moveRoute(h)
	a.tokenRoutes(h)
	a.auditRoute(h)
	describe(h.OpenAPI())
}

// bodyAnswers are the statuses of an operation that reads a body.
func bodyAnswers(more ...int) []int {
	return deviceapi.Failures(append(more, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)...)
}

// scheme is the name of the way to say who asks.
const scheme = "token"

// describe says in the description who may do what.
func describe(doc *huma.OpenAPI) {
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{scheme: {
		Type: "http", Scheme: "bearer", Description: "An API token, as tb_...",
	}}
	answers := map[int]string{
		http.StatusUnauthorized:    "Who asks is not known, or the token is not good",
		http.StatusForbidden:       "The role may not do this",
		http.StatusTooManyRequests: "Too many attempts with tokens that are not good",
	}
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op == nil {
				continue
			}
			role, _ := needed(method + " " + path)
			if role == everybody {
				op.Security = []map[string][]string{{scheme: {}}, {}} // more is told to whom is known
			} else {
				op.Security = []map[string][]string{{scheme: {}}}
				op.Description = "Role: " + role + ". " + op.Description
			}
			// The HTTP server's own answer.
			op.Responses[strconv.Itoa(http.StatusRequestHeaderFieldsTooLarge)] = &huma.Response{
				Description: "Path and headers have more than 16 KiB",
				Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
			}
			problem := op.Responses[strconv.Itoa(http.StatusServiceUnavailable)]
			for status, text := range answers {
				if problem != nil {
					op.Responses[strconv.Itoa(status)] = &huma.Response{Description: text, Content: problem.Content}
				}
			}
		}
	}
}

// duration reads a duration of a body. "" is otherwise.
func duration(field, text string, otherwise, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, &twin.FieldError{Field: field, Value: clip(text), Want: "a duration from " + least.String() + " to " + most.String() + ", as 1h"}
	}
	return d, nil
}

// moment gives a time as REST shows it, nil if there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
