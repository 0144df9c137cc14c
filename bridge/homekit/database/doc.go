// Package database is the accessory attribute database of a HomeKit accessory server (HAP R2, chapters 2.3 and 6): which
// accessories there are, their services and characteristics, what these show now, and who wants to hear of changes.
//
// It answers the requests of /accessories, /characteristics and /prepare, body in, status and body out. It knows neither
// sockets nor what stands behind an accessory: whoever owns one sets its values with [Database.Set] and is handed what
// controllers write as a [Writer].
//
// What a controller reads is always in memory, so no read waits for a device. The structure is encoded once, when it is
// given; the body of /accessories is put together again only after a value has changed. Each connection has a [Client],
// with its subscriptions and its timed write. What changed is remembered there as a set of characteristics, the latest
// value counts, so a controller that does not listen costs a bounded amount of memory and nobody's time.
package database
