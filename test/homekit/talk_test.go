package homekit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"twinbridge/test/world"
)

// patient is how long something may take that is done in a moment on a machine that is not busy.
const patient = 15 * time.Second

// characteristic is a row of what is read, written and told.
type characteristic struct {
	AID    uint64          `json:"aid"`
	IID    uint64          `json:"iid"`
	Value  json.RawMessage `json:"value"`
	Status int             `json:"status"`
	Type   string          `json:"type"`
	Format string          `json:"format"`
	Perms  []string        `json:"perms"`
	Event  *bool           `json:"ev"`
	Max    *float64        `json:"maxValue"`
	Min    *float64        `json:"minValue"`
}

func (c characteristic) String() string {
	return fmt.Sprintf("%d.%d=%s status %d", c.AID, c.IID, c.Value, c.Status)
}

// notice is something that a controller was not asked for.
type notice struct {
	at    time.Duration // of the monotonic clock
	event []characteristic
	gone  bool // its connection for events is lost
	here  bool // it has one again, and the subscriptions with it
}

// refusal is an error that the other side of a controller, or the controller, told.
type refusal struct {
	Type    string `json:"type"` // the library's word
	Message string `json:"message"`
	TLV     int    `json:"tlv"`  // kTLVError_..., table 5-5; 0: none
	HTTP    int    `json:"http"` // status; 0: none
	Body    string `json:"body"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %s (TLV error %d, HTTP status %d %s)", r.Type, r.Message, r.TLV, r.HTTP, r.Body)
}

// talker is a program that is spoken to in lines of JSON.
type talker struct {
	*world.Process
	in *os.File

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	ready   chan struct{}
	told    []notice
	changed chan struct{}
}

// answer is what came of something that was asked.
type answer struct {
	ok  json.RawMessage
	err *refusal
}

// startTalker starts the program. The end of the test ends it.
func startTalker(t testing.TB, words ...string) *talker {
	t.Helper()
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	k := &talker{in: writes, waiting: map[int]chan answer{}, ready: make(chan struct{}), changed: make(chan struct{})}
	out := world.NewOutput()
	out.OnLine = k.line
	k.Process = world.StartTalk(t, reads, out, words[0], words[1:]...)
	t.Cleanup(func() { writes.Close() })
	reads.Close()
	return k
}

// begun waits until the program says that it is ready.
func (k *talker) begun(t testing.TB) {
	t.Helper()
	late := time.NewTimer(world.StartTime)
	defer late.Stop()
	select {
	case <-k.ready:
	case <-k.Done():
		t.Fatal("it ended before it was ready")
	case <-late.C:
		t.Fatalf("it is not ready after %v", world.StartTime)
	}
}

// line takes a line that the program prints.
func (k *talker) line(_ time.Time, text string) {
	var l struct {
		ID    int              `json:"id"`
		OK    json.RawMessage  `json:"ok"`
		Error *refusal         `json:"error"`
		At    int64            `json:"at"`
		Event []characteristic `json:"event"`
		Gone  bool             `json:"gone"`
		Here  bool             `json:"here"`
		Ready bool             `json:"ready"`
	}
	if json.Unmarshal([]byte(text), &l) != nil {
		return // something of the library's own, which a failed test shows
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case l.Ready:
		close(k.ready)
	case l.ID != 0:
		if c, ok := k.waiting[l.ID]; ok {
			delete(k.waiting, l.ID)
			c <- answer{l.OK, l.Error}
		}
	case l.Event != nil || l.Gone || l.Here:
		k.told = append(k.told, notice{time.Duration(l.At), l.Event, l.Gone, l.Here})
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

// ask has the program do something, and gives what came of it in out unless that is nil.
func (k *talker) ask(ctx context.Context, do string, what map[string]any, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	c := make(chan answer, 1)
	k.mu.Lock()
	k.last++
	id := k.last
	k.waiting[id] = c
	k.mu.Unlock()
	whole := map[string]any{"id": id, "do": do}
	// The program gives up first, so that it can say why.
	deadline, _ := ctx.Deadline()
	whole["seconds"] = max(0.1, time.Until(deadline).Seconds()-2)
	maps.Copy(whole, what)
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	if err := k.in.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := k.in.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("ask to %s: %w", do, err)
	}
	select {
	case a := <-c:
		if a.err != nil {
			return fmt.Errorf("%s: %w", do, a.err)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.ok, out)
	case <-k.Done():
		return fmt.Errorf("%s: the program has ended", do)
	case <-ctx.Done():
		k.mu.Lock()
		delete(k.waiting, id)
		k.mu.Unlock()
		return fmt.Errorf("%s: %w", do, ctx.Err())
	}
}

// notices gives what was told, and something that is closed when there is more.
func (k *talker) notices() ([]notice, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.told[:len(k.told):len(k.told)], k.changed
}

// mark is the number of notices until now.
func (k *talker) mark() int {
	all, _ := k.notices()
	return len(all)
}

// since are the notices after a mark.
func (k *talker) since(mark int) []notice {
	all, _ := k.notices()
	return all[mark:]
}

// hear waits for a notice after a mark.
func (k *talker) hear(ctx context.Context, mark int, what string, fits func(notice) bool) (notice, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	for seen := mark; ; {
		all, changed := k.notices()
		for ; seen < len(all); seen++ {
			if fits(all[seen]) {
				return all[seen], nil
			}
		}
		select {
		case <-changed:
		case <-k.Done():
			return notice{}, errors.New("waiting for " + what + ": the program has ended")
		case <-ctx.Done():
			return notice{}, fmt.Errorf("waiting for %s: %w; told was %v", what, ctx.Err(), all[mark:])
		}
	}
}
