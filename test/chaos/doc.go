// Package chaos kills the real programs, again and again, while people at the hub, people at the house and hands on
// switches all want something, and then holds everything that was told and everything the lamps did against the promises
// of docs/twin.md, section 11.
//
// Every call, every answer and every line that the mapper prints is an [Entry] of a history, with the time at which the
// test saw it. Each wish has a value that nobody else wishes, so what a lamp does can be traced to who wanted it. When
// all is healed and at rest, [Check] looks at the history alone: it knows nothing of the programs, and its own tests feed
// it histories with one thing wrong in each.
package chaos
