package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"twinbridge/edge/edgehub"
	"twinbridge/internal/store"
	"twinbridge/pairing/enroll"
	"twinbridge/twin"
)

// invitePause is the time between two attempts to join the hub of the same process.
const invitePause = time.Second

// link is the node's side of the hub: its membership, and the sessions with it.
type link struct {
	o      *Options
	file   *store.Store
	twins  *twin.Store
	log    *slog.Logger
	member atomic.Pointer[enroll.Member] // nil: this node has joined no hub
	hub    atomic.Pointer[edgehub.EdgeHub]
}

// newLink reads the membership.
func newLink(o *Options, file *store.Store, twins *twin.Store) (*link, error) {
	l := &link{o: o, file: file, twins: twins, log: o.Log}
	m, err := enroll.OpenMember(membership{file}, l.config())
	switch {
	case errors.Is(err, enroll.ErrNotJoined):
		return l, nil
	case err != nil:
		return nil, err
	case m.Name() != o.Config.Node.Name:
		return nil, &twin.FieldError{Field: "node.name", Value: o.Config.Node.Name, Want: m.Name() + ", the name under which this node has joined its hub; to change it, join anew"}
	}
	l.member.Store(m)
	return l, nil
}

func (l *link) config() enroll.MemberConfig {
	return enroll.MemberConfig{Built: l.o.Built, Log: l.log}
}

// run keeps the link until ctx ends. A node that has joined no hub does without.
func (l *link) run(ctx context.Context) error {
	if err := l.join(ctx); err != nil {
		return err
	}
	m := l.member.Load()
	if m == nil {
		<-ctx.Done()
		return nil
	}
	hub := edgehub.New(edgehub.Config{
		Hubs: func() []string {
			if len(l.o.Hubs) > 0 {
				return l.o.Hubs
			}
			return m.Hubs()
		},
		TLS: func() *tls.Config { return m.TLS() },
	}, l.twins, l.log)
	l.hub.Store(hub)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var renewals sync.WaitGroup
	var renewed error
	renewals.Go(func() {
		defer cancel()
		renewed = m.Run(ctx)
	})
	err := hub.Run(ctx)
	cancel()
	renewals.Wait()
	return errors.Join(err, renewed)
}

// state tells in words how the link is, "" if the node has joined no hub.
func (l *link) state() string {
	hub := l.hub.Load()
	if hub == nil {
		return ""
	}
	st := hub.Stats()
	text := "connected"
	if !st.Connected {
		text = "away: " + st.Trouble
	}
	for _, r := range l.twins.HubRefusals() {
		text += "; the hub does not take " + r.Name.String() + ": " + r.Reason
	}
	return text
}

// join joins the hub of the same process, if there is one and this node does not know it.
func (l *link) join(ctx context.Context) error {
	if l.o.Invite == nil {
		return nil
	}
	if m := l.member.Load(); m != nil && l.o.HubCA != nil {
		roots := x509.NewCertPool()
		if roots.AppendCertsFromPEM(l.o.HubCA) && roots.Equal(m.TLS().RootCAs) {
			return nil
		}
		l.log.Warn("the hub has other keys than when this node joined it: it joins anew")
	}
	for {
		token, err := l.o.Invite(l.o.Config.Node.Name)
		if err == nil {
			cfg := l.config()
			cfg.Again = true
			var m *enroll.Member
			if m, err = enroll.Join(ctx, membership{l.file}, token, cfg); err == nil {
				l.member.Store(m)
				return nil
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		l.log.Warn("join the hub", "error", err)
		wait := time.NewTimer(invitePause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}

// Join makes a node of a data folder a member of a hub, by a token of it. No edge may run on the folder.
func Join(ctx context.Context, o Options, token string, again bool) error {
	t, err := enroll.ParseToken(strings.TrimSpace(token))
	if err != nil {
		return err
	}
	if t.Node != o.Config.Node.Name {
		return fmt.Errorf("the token is for node %s, and this is node %s: ask for a token for it, or set node.name to %s in %s", t.Node, o.Config.Node.Name, t.Node, o.File)
	}
	file, err := openStore(&o)
	if err != nil {
		return err
	}
	_, err = enroll.Join(ctx, membership{file}, token, enroll.MemberConfig{Built: o.Built, Log: o.Log, Again: again})
	if errors.Is(err, enroll.ErrJoined) {
		err = fmt.Errorf("%w: with --again it leaves the hub of before", err)
	}
	return errors.Join(err, file.Close())
}

// membershipBucket is where the node's key and certificate lie in edge.db.
const membershipBucket = "member"

// membership keeps the records of enrolment in edge.db.
type membership struct{ file *store.Store }

// Get implements [enroll.Store].
func (k membership) Get(key string) ([]byte, bool, error) {
	b, err := k.file.Get(membershipBucket, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// List implements [enroll.Store].
func (k membership) List(prefix string) (out []enroll.Record, err error) {
	all, err := k.file.Records(membershipBucket)
	for _, r := range all {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, enroll.Record(r))
		}
	}
	return out, err
}

// Commit implements [enroll.Store].
func (k membership) Commit(changes ...enroll.Change) error {
	out := make([]store.Change, len(changes))
	for i, c := range changes {
		out[i] = store.Change{Bucket: membershipBucket, Key: c.Key, Data: c.Data}
	}
	return k.file.Commit(out...)
}
