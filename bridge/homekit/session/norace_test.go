//go:build !race

package session

// raceFactor is how much more memory everything takes with the race detector.
const raceFactor = 1
