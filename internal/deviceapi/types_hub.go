package deviceapi

import "time"

// Node is an edge node as a hub knows it.
type Node struct {
	Name      string     `json:"name" example:"cellar"`
	Connected bool       `json:"connected"`
	Since     *time.Time `json:"since,omitempty" doc:"When it came, or went; absent if it never came"`
	Version   string     `json:"version,omitempty" doc:"Of its program"`
	Store     string     `json:"store,omitempty" doc:"Identity of its store"`
	Rev       uint64     `json:"rev,omitempty" doc:"Up to which the hub knows its decisions"`
	Devices   int        `json:"devices"`
	Trouble   string     `json:"trouble,omitempty" doc:"node: disk, while its disk does not take decisions"`
	Expires   *time.Time `json:"certificateExpires,omitempty" doc:"End of its certificate; absent if it has none that is good"`
	Refused   []Refused  `json:"refused,omitempty" doc:"Definitions of its own that the hub does not take"`
}

// Refused is a definition that is not taken.
type Refused struct {
	Device string `json:"device" example:"default/lamp"`
	Reason string `json:"reason"`
}

// Nodes lists the nodes.
type Nodes struct {
	Nodes []Node `json:"nodes"`
}

// JoinAsk is the body that asks for a join token.
type JoinAsk struct {
	ValidFor string `json:"validFor,omitempty" example:"1h" doc:"How long the token may be used, at most 1h, which is the default"`
}

// JoinToken lets a node join, once.
type JoinToken struct {
	Node    string    `json:"node"`
	Token   string    `json:"token" doc:"A secret; it is told here and nowhere else"`
	Expires time.Time `json:"expires"`
}

// MoveAsk is the body that gives a device to another node.
type MoveAsk struct {
	Node  string `json:"node" example:"attic"`
	Force bool   `json:"force,omitempty" doc:"At once, though the old node has not said that it gave the device up"`
}

// Roles of who asks, each with all that the one before it may.
const (
	RoleViewer   = "viewer"   // reads
	RoleOperator = "operator" // wishes
	RoleAdmin    = "admin"    // defines devices, and rules over nodes, tokens and the audit
)

// Token is an API token without its secret.
type Token struct {
	ID       string     `json:"id"`
	Name     string     `json:"name" example:"dashboard"`
	Role     string     `json:"role" enum:"viewer,operator,admin"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty" doc:"Absent: never"`
	LastUsed string     `json:"lastUsed,omitempty" example:"2026-11-28" doc:"The day, UTC"`
}

// Tokens lists the tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// TokenAsk is the body that makes a token.
type TokenAsk struct {
	Name     string `json:"name" example:"dashboard" minLength:"1" maxLength:"64" doc:"Stands in the audit, and with the wishes"`
	Role     string `json:"role" enum:"viewer,operator,admin"`
	ValidFor string `json:"validFor,omitempty" example:"720h" doc:"How long it is good, at most 87600h; for ever without it"`
}

// NewToken is a token that was just made.
type NewToken struct {
	Token
	Secret string `json:"secret" doc:"What goes behind Bearer; it is told here and nowhere else"`
}

// AuditEntry says who did what.
type AuditEntry struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who" doc:"Name of the token, or who logged in"`
	Token   string    `json:"token,omitempty" doc:"Id of the token; absent if somebody logged in"`
	Role    string    `json:"role" enum:"viewer,operator,admin"`
	From    string    `json:"from,omitempty" doc:"Address that it came from"`
	Action  string    `json:"action" example:"wish"`
	Object  string    `json:"object" example:"default/lamp"`
	Detail  string    `json:"detail,omitempty" example:"powerstatus=ON"`
	Wish    string    `json:"wish,omitempty" doc:"Id of the wish"`
	Devices int       `json:"devices,omitempty" doc:"How many devices, of a wish for many"`
	Refused string    `json:"refused,omitempty" doc:"Why nothing came of it"`
}

// Audit is a page of the audit, newest first.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one"`
}
