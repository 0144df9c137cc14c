package session

import (
	"cmp"
	"log/slog"
	"time"

	"twinbridge/bridge/homekit/message"
)

// Config is what a server is made of. What is 0 has its default.
type Config struct {
	// Accept gives the Peer of a connection. It is called before the first request is served: a connection that never
	// asks anything has none.
	Accept func(*Conn) Peer
	Log    *slog.Logger // default: none

	MaxSecure     int // secure connections; default 32
	MaxUnverified int // unverified ones beside them; default 8

	FirstRequest time.Duration // how long an unverified connection may wait with a request; default 10 s
	MaxPatience  time.Duration // the most that a Reply may ask for instead; default 30 s
	WholeRequest time.Duration // how long a request on a secure connection may take from its first byte; default 30 s
	WriteTime    time.Duration // how long a message may take to be written; default 10 s
	Idle         time.Duration // without a request, after which a secure connection makes room for another; default 60 s
	EventPause   time.Duration // between two event messages of a connection; default 250 ms
	EventGather  time.Duration // how long one waits for more that may belong to it; default 0.2 ms
	Grace        time.Duration // for replies that are on their way at the end of the server; default 250 ms

	Clear  message.Limits // of requests before a connection is secure; default 1 KiB, 4 KiB, 32 fields, body 16 KiB
	Secure message.Limits // of requests on secure connections; default message.DefaultLimits
}

func (c Config) withDefaults() Config {
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	c.MaxSecure = cmp.Or(c.MaxSecure, 32)
	c.MaxUnverified = cmp.Or(c.MaxUnverified, 8)
	c.FirstRequest = cmp.Or(c.FirstRequest, 10*time.Second)
	c.MaxPatience = cmp.Or(c.MaxPatience, 30*time.Second)
	c.WholeRequest = cmp.Or(c.WholeRequest, 30*time.Second)
	c.WriteTime = cmp.Or(c.WriteTime, 10*time.Second)
	c.Idle = cmp.Or(c.Idle, time.Minute)
	c.EventPause = cmp.Or(c.EventPause, 250*time.Millisecond)
	c.EventGather = cmp.Or(c.EventGather, 200*time.Microsecond)
	c.Grace = cmp.Or(c.Grace, 250*time.Millisecond)
	c.Clear = cmp.Or(c.Clear, message.Limits{Line: 1 << 10, Head: 4 << 10, Fields: 32, Body: 16 << 10})
	c.Secure = cmp.Or(c.Secure, message.DefaultLimits)
	return c
}
