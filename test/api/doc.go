// Package api tries the hub's REST API with schemathesis, which makes requests of its own from the OpenAPI description:
// good ones, broken ones, and chains of them. It has tests only.
//
// The hub under test is the real one, with its registry in a file and a simulated node that does what it is told. The
// venv of schemathesis is made by `make api`.
package api
