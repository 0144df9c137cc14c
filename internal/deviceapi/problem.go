package deviceapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"twinbridge/twin"
)

// asField finds the first field at fault in an error.
func asField(err error) (*twin.FieldError, bool) {
	var f *twin.FieldError
	ok := errors.As(err, &f)
	return f, ok
}

// statusOf gives the HTTP status of an error.
func statusOf(err error) int {
	var refused *twin.RefusedError
	switch {
	case errors.Is(err, twin.ErrNotFound), errors.Is(err, twin.ErrWishUnknown), errors.Is(err, twin.ErrNodeUnknown):
		return http.StatusNotFound
	case errors.Is(err, twin.ErrPrecondition):
		return http.StatusPreconditionFailed
	case errors.Is(err, twin.ErrNotOwner), errors.Is(err, twin.ErrNodeInUse), errors.Is(err, ErrConflict):
		return http.StatusConflict
	case errors.Is(err, twin.ErrDisk):
		return http.StatusServiceUnavailable
	case errors.Is(err, errSyntax):
		return http.StatusBadRequest
	case errors.As(err, &refused), errors.Is(err, ErrInvalid):
		return http.StatusUnprocessableEntity
	}
	if _, ok := asField(err); ok {
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// Answer makes of an error of a [Service], or of [Decode], what an operation answers.
func Answer(err error) error { return problem(err) }

// problem makes of an error what is answered. What is an answer already stays so.
func problem(err error) error {
	if done := huma.StatusError(nil); errors.As(err, &done) {
		return done
	}
	status := statusOf(err)
	p := &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: err.Error()}
	for _, f := range fields(err) {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: f.Field, Value: f.Value, Message: "expected " + f.Want})
	}
	return p
}

// fields collects all fields at fault, of joined errors too.
func fields(err error) []*twin.FieldError {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself, node by node
	case nil:
		return nil
	case *twin.FieldError:
		return []*twin.FieldError{e}
	case interface{ Unwrap() []error }:
		var out []*twin.FieldError
		for _, one := range e.Unwrap() {
			out = append(out, fields(one)...)
		}
		return out
	}
	return fields(errors.Unwrap(err))
}

// WriteProblem answers outside of an operation. Headers of its own, as Retry-After, are set before.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(&huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who hung up is not told
}

// endedOtherwise is the answer to a wish that ended and was not applied: a problem that carries the wish.
type endedOtherwise struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Wish
}

func endedProblem(w Wish) *endedOtherwise {
	detail := "the wish was not applied: " + w.Outcome
	if w.Reason != "" {
		detail += ": " + w.Reason
	}
	return &endedOtherwise{Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict, Detail: detail, Wish: w}
}

func (e *endedOtherwise) Error() string             { return e.Detail }
func (e *endedOtherwise) GetStatus() int            { return e.Status }
func (e *endedOtherwise) ContentType(string) string { return "application/problem+json" }
