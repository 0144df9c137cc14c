// Package fences holds the house rules that a test can check: who may import whom, that each package explains itself,
// and a few things that must not be written anywhere. It has tests only.
//
// The rules are data (rooms_test.go) and functions over the parsed source (source_test.go). Each is run on the module
// itself, and on small modules in which it is broken on purpose (planted_test.go): a fence that cannot fall over holds
// nothing back.
package fences
