package session

import (
	"time"

	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
)

// Peer is what the layer above knows of one connection. Its methods are never called at the same time.
type Peer interface {
	// Serve answers a request. The request lies in the connection's buffer and is gone when Serve returns.
	Serve(r *message.Request) Reply
	// Event gives the JSON body of the next event message, nil if there is nothing to tell. It is called after
	// [Conn.Notify], on secure connections only.
	Event() []byte
	// Closed is called once, after everything else.
	Closed()
}

// Reply is the answer to a request.
type Reply struct {
	Status int
	Type   string // Content-Type
	// Body must not change until Sent.
	Body []byte
	// Switch makes the connection secure: the reply is the last thing before. If there is no room for another secure
	// connection, 503 is written instead and the connection closed.
	Switch *Keys
	// Close ends the connection after the reply.
	Close bool
	// Patience is how long an unverified connection may wait with its next request, where somebody types a code for
	// example; 0: as usual. More than the server's MaxPatience is cut to that.
	Patience time.Duration
	// Sent is called when the reply was written or failed, if it is not nil. The connection may be told to end then.
	Sent func()
}

// Keys are those of a secure connection. HAP names them from the controller's side.
type Keys struct {
	Out frame.Key // to the controller: Control-Read-Encryption-Key
	In  frame.Key // from the controller: Control-Write-Encryption-Key
}
