package world

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo listens and gives back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until one side is gone
			}()
		}
	}()
	return l.Addr().String()
}

func dialed(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// says sends a text and reads the answer, for at most as long as told.
func says(t *testing.T, c net.Conn, text string, limit time.Duration) (string, error) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(text))
	n, err := io.ReadFull(c, b)
	return string(b[:n]), err
}

// TestProxy: the weather is what the storms count on.
func TestProxy(t *testing.T) {
	p := NewProxy(t)
	addr := p.Through(echo(t))

	c := dialed(t, addr)
	if got, err := says(t, c, "clear", 10*time.Second); got != "clear" || err != nil {
		t.Fatalf("clear: %q, %v", got, err)
	}

	p.Set(Hole)
	if got, err := says(t, c, "hole", 300*time.Millisecond); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("black-holed: %q, %v; want nothing, and no end", got, err)
	}
	p.Set(Clear)
	if got, err := says(t, c, "----", 10*time.Second); got != "hole" || err != nil {
		t.Errorf("after the hole: %q, %v; want what was sent into it", got, err)
	}

	p.Set(Slow)
	start := time.Now()
	c = dialed(t, addr)
	long := string(make([]byte, 20<<10))
	if got, err := says(t, c, long, 30*time.Second); len(got) != len(long) || err != nil || time.Since(start) < 400*time.Millisecond {
		t.Errorf("slow: %d bytes in %v, %v", len(got), time.Since(start), err)
	}
	p.Set(Clear)

	c = dialed(t, addr)
	if _, err := says(t, c, "up", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Cut(3)
	got, err := says(t, c, "in the middle", 10*time.Second)
	if len(got) > 3 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut after 3 bytes: %q, %v; want at most 3 and an end", got, err)
	}

	// A connection of later is whole.
	Eventually(t, 10*time.Second, func() (bool, string) {
		got, err := says(t, dialed(t, addr), "again", 2*time.Second)
		return got == "again" && err == nil, got
	})

	c = dialed(t, addr)
	if _, err := says(t, c, "up", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(Refused)
	if got, err := says(t, c, "refused", 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("refused: %q, %v; want an end", got, err)
	}
	if got, err := says(t, dialed(t, addr), "refused", 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("refused: a new connection is answered %q, %v", got, err)
	}
}
