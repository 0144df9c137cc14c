package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

const maxDetail = 512 // bytes of a detail, and of a reason

// entry is an act as it is kept. Nobody changes one: a changed one takes its place.
type entry struct {
	deviceapi.AuditEntry
	Names string `json:"names,omitempty"` // the devices that it is about, a line for each, if Object is none

	seq uint64
}

// size is roughly what an entry takes, in bytes.
func (e *entry) size() int {
	return 256 + len(e.Names) + len(e.Detail) + len(e.Refused) + len(e.Object) + len(e.Who)
}

func (e *entry) key() string { return fmt.Sprintf("%s%016x", auditPrefix, e.seq) }

// about reports whether an entry is about a device.
func (e *entry) about(device string) bool {
	return e.Object == device || e.Names != "" && strings.Contains("\n"+e.Names+"\n", "\n"+device+"\n")
}

// audit is the book of who did what: the last MaxAudit acts, fewer if they are long.
type audit struct {
	kept Store
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex // guards all below
	entries []*entry   // in order of seq, without gaps
	seq     uint64
	bytes   int
}

func openAudit(kept Store, now func() time.Time, log *slog.Logger) (*audit, error) {
	a := &audit{kept: kept, now: now, log: log}
	records, err := kept.List(auditPrefix)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		e := &entry{}
		seq, err := strconv.ParseUint(strings.TrimPrefix(r.Key, auditPrefix), 16, 64)
		if err == nil {
			err = json.Unmarshal(r.Data, e)
		}
		if err != nil {
			return nil, fmt.Errorf("record %s is no entry: %w", r.Key, err)
		}
		e.seq, a.seq = seq, seq
		a.entries = append(a.entries, e)
		a.bytes += e.size()
	}
	return a, nil
}

// begin notes what somebody is about to do. ended is told how it went, returns once the note is on disk, and gives what to
// answer: the act's own error, or that the note is not on disk.
func (a *audit) begin(id *identity, e deviceapi.AuditEntry, names []twin.Name) (ended func(error) error) {
	e.At, e.Who, e.Token, e.Role, e.From = a.now().UTC().Truncate(time.Millisecond), id.who, id.token, id.role, id.from
	e.Detail, e.Object = shorten(e.Detail), shorten(e.Object)
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n.String()
	}
	rec := &entry{AuditEntry: e, Names: strings.Join(list, "\n")}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	rec.seq = a.seq
	a.entries = append(a.entries, rec)
	a.bytes += rec.size()
	changes := a.dropOld()
	c, err := put(rec.key(), rec)
	if err != nil {
		return func(error) error { return err }
	}
	end := a.kept.Begin(append(changes, c)...)
	return func(err error) error {
		if err != nil {
			a.refused(rec, err)
			return err
		}
		if err := end(); err != nil {
			a.log.Error("the audit does not come to disk", "error", err)
			return fmt.Errorf("it is done, and the audit of it is not on disk: %w", twin.ErrDisk)
		}
		return nil
	}
}

// dropOld keeps to the bounds and gives what is to be forgotten on disk.
func (a *audit) dropOld() (changes []Change) {
	n := 0
	for len(a.entries)-n > MaxAudit || a.bytes > maxAuditBytes && len(a.entries)-n > 1 {
		a.bytes -= a.entries[n].size()
		changes = append(changes, Change{Key: a.entries[n].key()})
		a.entries[n] = nil
		n++
	}
	a.entries = a.entries[n:]
	return changes
}

// refused notes that nothing came of an act. It waits for nobody: it goes to disk with what is committed next.
func (a *audit) refused(rec *entry, why error) {
	now := *rec
	now.Refused = shorten(why.Error())
	c, err := put(now.key(), &now)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entries) == 0 || rec.seq < a.entries[0].seq {
		return // forgotten already
	}
	a.entries[rec.seq-a.entries[0].seq] = &now
	a.bytes += now.size() - rec.size()
	a.kept.Begin(c)
}

// page gives entries, newest first. before is where to begin, 0 at the newest; next is where the next page does.
func (a *audit) page(device, who string, before uint64, limit int) (out []deviceapi.AuditEntry, next uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out = []deviceapi.AuditEntry{}
	for i := len(a.entries) - 1; i >= 0; i-- {
		e := a.entries[i]
		if before != 0 && e.seq >= before || who != "" && e.Who != who || device != "" && !e.about(device) {
			continue
		}
		if len(out) == limit {
			return out, next
		}
		out = append(out, e.AuditEntry)
		next = e.seq
	}
	return out, 0
}

func shorten(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail], "") + "..."
}
