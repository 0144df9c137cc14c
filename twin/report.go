package twin

// PropReport is what a mapper says of one property.
type PropReport struct {
	Value Value  // absent if only an error is told
	Wish  string // the wish whose execution this report follows; "" if none
	Act   bool   // somebody acted at the device itself
	Error string // why the wish could not be carried out; then Value is absent
}

// Report is what a mapper says of a device in one message.
type Report struct {
	Props map[string]PropReport
	// Echo tells that the mapper names wishes in its reports (rule 5: the key "wish" was present, be it empty).
	Echo bool
	// Conn names the connection it came on, for ownership; "" where nobody knows (an external broker).
	Conn string
}
