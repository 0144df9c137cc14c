package eventbus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"twinbridge/edge/eventbus/topic"
)

// stream is a connection from which a text can be read.
type stream struct {
	net.Conn
	r io.Reader
}

func (s stream) Read(b []byte) (int, error) { return s.r.Read(b) }

func message3(qos byte, name string, size int) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.TopicName, p.MessageID, p.Payload = qos, name, 7, bytes.Repeat([]byte("x"), size)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestFrames: the library gets what was sent, and of a message that is too long its topic, its id and enough of it to be
// refused.
func TestFrames(t *testing.T) {
	type want struct {
		topic string
		size  int
	}
	const most = topic.MaxPayload + 1
	var in []byte
	var wants []want
	for _, qos := range []byte{0, 1} {
		for _, size := range []int{0, 1, 126, 127, 128, 16383, 16384, most - 1, most, most + 1, 2 << 20} {
			name := "t/" + strconv.Itoa(size)
			in = append(in, message3(qos, name, size)...)
			in = append(in, 0xd0, 0) // PINGRESP
			wants = append(wants, want{name, min(size, most)}, want{})
		}
	}
	f := newFrames(stream{r: io.MultiReader(bytes.NewReader(in[:1000]), bytes.NewReader(in[1000:]))}, time.Second)
	for _, w := range wants {
		p, err := packets.ReadPacket(f)
		if err != nil {
			t.Fatalf("want %v: %v", w, err)
		}
		m, ok := p.(*packets.PublishPacket)
		if !ok {
			if w.topic != "" {
				t.Fatalf("got %v, want a message on %s", p, w.topic)
			}
			continue
		}
		if m.TopicName != w.topic || len(m.Payload) != w.size || m.Qos > 0 && m.MessageID != 7 || strings.Trim(string(m.Payload), "x") != "" {
			t.Errorf("got %s with %d bytes, id %d; want %v", m.TopicName, len(m.Payload), m.MessageID, w)
		}
	}
	if _, err := packets.ReadPacket(f); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// TestFramesRefused: what is no packet ends the connection.
func TestFramesRefused(t *testing.T) {
	for name, text := range map[string]string{
		"length of five bytes":       "\xd0\xff\xff\xff\xff\x01",
		"answer of 256 MiB":          "\x90\xff\xff\xff\x7f",
		"topic longer than packet":   "\x30\x05\x00\x09abc",
		"no room for a topic":        "\x30\x01\x00",
		"no room for the packet id":  "\x32\x05\x00\x03abc",
		"message of nothing at all":  "\x30\x00\x00\x00",
		"topic of 64 KiB in a small": "\x30\x04\xff\xffab",
	} {
		f := newFrames(stream{r: strings.NewReader(text + strings.Repeat("\x00", 64))}, time.Second)
		if _, err := io.ReadAll(f); !errors.Is(err, errFrame) {
			t.Errorf("%s: got %v, want %v", name, err, errFrame)
		}
	}
}

// TestFramesEveryPrefix: a stream that breaks off is no packet, wherever it does.
func TestFramesEveryPrefix(t *testing.T) {
	whole := append(message3(1, "a/b", 300), 0xd0, 0)
	for n := range whole {
		f := newFrames(stream{r: bytes.NewReader(whole[:n])}, time.Second)
		_, err := io.ReadAll(f)
		if between := n == 0 || n == len(whole)-2; between != (err == nil) {
			t.Errorf("after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(message3(0, "a", 3))
	f.Add(message3(1, "a/b", 200))
	f.Add([]byte("\x30\xff\xff\xff\x7f\x00\x01a"))
	f.Fuzz(func(t *testing.T, in []byte) {
		fr := newFrames(stream{r: bytes.NewReader(in)}, time.Second)
		for {
			p, err := packets.ReadPacket(fr)
			if err != nil {
				return
			}
			if m, ok := p.(*packets.PublishPacket); ok && len(m.Payload) > topic.MaxPayload+1 {
				t.Fatalf("a payload of %d bytes", len(m.Payload))
			}
		}
	})
}

// TestFramesWrite: who takes nothing breaks the connection after a bounded time, and at the end sooner.
func TestFramesWrite(t *testing.T) {
	for _, hurried := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer there.Close()
			defer here.Close()
			f := newFrames(here, answerLimit)
			want := answerLimit
			if hurried {
				want = time.Second
				time.AfterFunc(want-lastWords, func() { f.hurry(lastWords) })
			}
			start := time.Now()
			_, err := f.Write([]byte("x"))
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != want {
				t.Errorf("hurried %v: got %v after %v, want an end after %v", hurried, err, time.Since(start), want)
			}
			if _, err := f.Write([]byte("x")); hurried && (!errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != want) {
				t.Errorf("after the end: %v after %v", err, time.Since(start))
			}
		})
	}
}

// TestTwice: a repetition has the flag, the id and the content of a message before.
func TestTwice(t *testing.T) {
	tw := newTwice()
	for i, r := range []struct {
		id      uint16
		dup     bool
		payload string
		want    bool
	}{
		{1, false, "ON", false},
		{1, true, "ON", true},
		{1, true, "OFF", false}, // an id used again, with somebody else's flag
		{1, true, "ON", false},
		{1, false, "ON", false}, // said again
		{2, true, "ON", false},  // the first of its id
		{2, true, "ON", true},
		{1, true, "ON", true},
	} {
		if got := tw.seen(r.id, r.dup, "t", []byte(r.payload)); got != r.want {
			t.Errorf("%d: got %v, want %v", i, got, r.want)
		}
	}
	for i := range uint16(3 * maxTwice) {
		tw.seen(i, false, "t", nil)
	}
	if len(tw.last) > maxTwice {
		t.Errorf("%d messages are remembered", len(tw.last))
	}
	if tw.seen(0, true, "t", nil) {
		t.Error("a message of long ago was recognised")
	}
}

// TestOutbox: without room messages are noted, and who waits is let go on.
func TestOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		if !o.put(parcel{"t", nil}) || o.isOpen() {
			t.Error("closed: a message has to be dropped without a word")
		}
		o.set(true)
		const delta, result = "$hw/events/device/a/twin/update/delta", "$hw/events/device/a/twin/update/result"
		for range queueLength {
			if !o.put(parcel{result, nil}) {
				t.Fatal("no room")
			}
		}
		for _, name := range []string{delta, delta, result} {
			if o.put(parcel{name, nil}) {
				t.Fatal("room beyond the bound")
			}
		}
		start := time.Now()
		o.pause(t.Context(), patience)
		if time.Since(start) != patience {
			t.Errorf("the pause took %v, want %v", time.Since(start), patience)
		}
		paused := make(chan time.Time)
		go func() { o.pause(t.Context(), patience); paused <- time.Now() }()
		synctest.Wait()
		for i := range queueLength {
			if i == queueLength-lowWater {
				synctest.Wait()
				select {
				case <-paused:
					t.Error("the pause ended too early")
				default:
				}
			}
			m, lost, ok := o.take()
			if !ok || m.topic != result || (lost != nil) != (i == queueLength-1) || lost != nil && (len(lost) != 1 || !lost[delta]) {
				t.Fatalf("%d: got %v, %v, %v", i, m, lost, ok)
			}
		}
		if at := <-paused; !at.Equal(time.Now()) {
			t.Errorf("the pause ended at %v", at)
		}
		if _, _, ok := o.take(); ok {
			t.Error("a message of nobody")
		}
		o.pause(t.Context(), patience) // does not wait

		// Bytes have a bound too, but one message always has room.
		if !o.put(parcel{"t", make([]byte, maxOut+1)}) || o.put(parcel{"t", []byte("x")}) {
			t.Error("the bound in bytes does not hold")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o.pause(ctx, patience)
		o.set(false)
		if _, _, ok := o.take(); ok {
			t.Error("messages outlived their connection")
		}
	})
}
