package setup

import "fmt"

// FieldError says that a value handed in cannot be taken: which field, what it was, and what was expected. Value is empty
// where it would tell a setup code or a part of one.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: expected %s", e.Field, e.Want)
	}
	return fmt.Sprintf("%s: %q: expected %s", e.Field, e.Value, e.Want)
}

// clip shortens s for a message.
func clip(s string) string {
	const most = 40 // bytes; %q copes with a rune cut in two
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
