package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// service is the registry in the words of deviceapi.
type service struct{ *API }

var _ deviceapi.Service = (*service)(nil)

func (s *service) Devices(context.Context) ([]twin.Name, error) { return s.reg.Devices(), nil }
func (s *service) Watch() deviceapi.Watch                       { return s.reg.Watch() }

func (s *service) Device(_ context.Context, name twin.Name) (twin.View, error) {
	return s.reg.Device(name)
}

func (s *service) Durable(ctx context.Context) error { return s.reg.Durable(ctx) }

// Ask hands in a wish of the cloud, and notes who did. Who hangs up meanwhile does not leave it half noted.
func (s *service) Ask(ctx context.Context, name twin.Name, w twin.Wish) (twin.WishView, error) {
	id := identityOf(ctx)
	if w.ID == "" {
		w.ID = s.reg.NewID()
	}
	w.Origin, w.Asker = twin.FromCloud, id.who
	ended := func(err error) error { return err }
	if !isNoted(ctx) {
		ended = s.audit.begin(id, deviceapi.AuditEntry{Action: "wish", Object: name.String(), Detail: wishDetail(&w), Wish: w.ID}, nil)
	}
	var v twin.WishView
	err := durably(ctx, func(ctx context.Context) (err error) {
		v, err = s.reg.Ask(ctx, name, w)
		return err
	})
	return v, ended(err)
}

// durably does something that returns when it is on disk, whether or not who asked still waits, within bounds.
func durably(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), durableTime)
	defer cancel()
	err := do(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: it is not there within %s", twin.ErrDisk, durableTime)
	}
	return err
}

// wishDetail says what is wished.
func wishDetail(w *twin.Wish) string {
	var words []string
	for _, p := range slices.Sorted(maps.Keys(w.Values)) {
		words = append(words, p+"="+w.Values[p].Text())
	}
	if w.ValidFor > 0 {
		words = append(words, "for "+w.ValidFor.String())
	}
	if w.Insist {
		words = append(words, "insisting")
	}
	return strings.Join(words, " ")
}

type notedKey struct{}

// noted marks what belongs to an act that is in the audit as a whole.
func noted(ctx context.Context) context.Context { return context.WithValue(ctx, notedKey{}, true) }

func isNoted(ctx context.Context) bool { return ctx.Value(notedKey{}) != nil }

// batch notes a wish for many devices, as one act.
func (a *API) batch(ctx context.Context, b *deviceapi.Batch, names []twin.Name) (context.Context, func() error) {
	words := make([]string, 0, len(b.Expected)+2)
	for _, p := range slices.Sorted(maps.Keys(b.Expected)) {
		words = append(words, p+"="+b.Expected[p].Text())
	}
	if b.ValidFor != "" {
		words = append(words, "for "+b.ValidFor)
	}
	if b.Insist {
		words = append(words, "insisting")
	}
	ended := a.audit.begin(identityOf(ctx), deviceapi.AuditEntry{
		Action: "wishes", Object: b.Select.String(), Detail: strings.Join(words, " "), Devices: len(names),
	}, names)
	return noted(ctx), func() error { return ended(nil) }
}

func (s *service) Await(ctx context.Context, name twin.Name, id string) (twin.WishView, error) {
	return s.reg.WaitOutcome(ctx, name, id)
}

func (s *service) Wish(_ context.Context, id string) (twin.WishView, error) { return s.reg.Wish(id) }

// act notes an act and does it.
func (a *API) act(ctx context.Context, e deviceapi.AuditEntry, names []twin.Name, do func(context.Context) error) error {
	ended := a.audit.begin(identityOf(ctx), e, names)
	return ended(durably(ctx, do))
}

func (s *service) Health(ctx context.Context) deviceapi.Health {
	h := deviceapi.Health{Status: "ok"}
	err := s.reg.DiskError()
	if err != nil {
		h.Status = "degraded"
	}
	if identityOf(ctx).who == "" {
		return h
	}
	st := s.reg.Stats()
	h.Version, h.Uptime = s.cfg.Version, s.cfg.Now().Sub(s.cfg.Started).Round(time.Second).String()
	h.Devices, h.Online, h.Pending, h.Nodes, h.Away = &st.Devices, &st.Online, &st.Pending, &st.Nodes, &st.Away
	if err != nil {
		h.Trouble = "hub: disk: " + err.Error()
	}
	return h
}
