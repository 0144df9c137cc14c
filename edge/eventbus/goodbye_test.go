package eventbus

import (
	"log/slog"
	"strconv"
	"testing"
	"time"
)

// TestGoodbyeWhileClientsLeave says goodbye again and again while clients come and go: nobody waits for ever.
func TestGoodbyeWhileClientsLeave(t *testing.T) {
	b := newBroker(16, slog.New(slog.DiscardHandler))
	stopped, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		for i := 0; ; i++ {
			select {
			case <-stopped:
				return
			default:
			}
			c := b.server.NewClient(nil, "elsewhere", strconv.Itoa(i%8), false)
			b.server.Clients.Add(c)
			b.server.Clients.Delete(c.ID)
		}
	}()
	said := make(chan struct{})
	go func() {
		defer close(said)
		for range 20000 {
			b.sayGoodbye()
		}
	}()
	select {
	case <-said:
	case <-time.After(time.Minute):
		t.Fatal("the broker waits for a client that leaves, and the client for the broker")
	}
	close(stopped)
	<-left
}
