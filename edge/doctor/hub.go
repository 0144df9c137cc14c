package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Hub is what is known of the hub of a node.
type Hub struct {
	// Member gives the addresses of the hub, as https://host:port, and how TLS is spoken with it. conf is nil where only
	// the running node knows that. None and a nil error: the node has joined no hub.
	Member func(ctx context.Context) (addresses []string, conf *tls.Config, err error)
	Dial   Dial
	Now    func() time.Time
}

const (
	// maxHubs bounds the addresses that are looked at.
	maxHubs = 8
	// hubTime is how long the look at one address may take.
	hubTime = 4 * time.Second
	// maxSkew is how far the hub's clock may differ.
	maxSkew = 5 * time.Minute
)

// CheckHub repeats what the node says of its link, and looks at the way to the hub where that does not say all.
func CheckHub(n *Node, h Hub) Check {
	return Check{Name: "hub", Limit: 8 * time.Second, Look: func(ctx context.Context) Finding {
		var f Finding
		health, running := n.Health(ctx)
		if running == nil && health.Hub == "" {
			return found(Skipped, "this node has joined no hub; the house does without")
		}
		if running == nil {
			if rest, ok := strings.CutPrefix(health.Hub, "connected"); ok {
				f.see(OK, "the node is connected to its hub")
				for refused := range strings.SplitSeq(strings.TrimPrefix(rest, "; "), "; ") {
					if refused != "" {
						f.see(Warn, refused, "rename the device, or free its name at the hub")
					}
				}
				return f
			}
			f.see(Fail, "the node says: "+health.Hub)
		}
		list, conf, err := h.Member(ctx)
		switch {
		case err != nil:
			f.see(Skipped, "the hub's address could not be read: "+err.Error())
			return f
		case len(list) == 0 && running != nil:
			return found(Skipped, "this node has joined no hub; the house does without")
		case len(list) == 0:
			f.see(Skipped, "the hub's address is in the node's own store", "name it by hub.url to have the way to it looked at, or stop the node and try again")
			return f
		}
		reached := false
		for _, address := range list[:min(len(list), maxHubs)] {
			if h.look(ctx, &f, address, conf, len(list) > 1) {
				reached = true
				break
			}
		}
		if !reached && len(list) > 1 {
			f.see(Fail, "none of the hub's addresses is reached")
		}
		if reached && running == nil {
			f.see(Warn, "this machine reaches the hub, and the node is not connected: it may be about to dial, or be refused",
				"the node's log says why", "at the hub: twinbridge node list")
		}
		return f
	}}
}

// look looks at one address and reports whether a hub is there that is ours as far as can be told. One of several that
// is not reached is no failure by itself.
func (h *Hub) look(ctx context.Context, f *Finding, address string, conf *tls.Config, several bool) bool {
	ctx, cancel := context.WithTimeout(ctx, hubTime)
	defer cancel()
	bad := Fail
	if several {
		bad = Warn
	}
	u, err := url.Parse(address)
	if err != nil || u.Port() == "" {
		f.see(bad, fmt.Sprintf("%q is no address of a hub", address), "set hub.url to https://host:port")
		return false
	}
	c, err := h.Dial(ctx, "tcp", u.Host)
	if err != nil {
		f.see(bad, address+": "+err.Error(), unreachable(err, "the hub")...)
		return false
	}
	defer func() { _ = c.Close() }() // it is done with
	known := conf != nil
	if !known {
		conf = &tls.Config{MinVersion: tls.VersionTLS13, ServerName: u.Hostname()}
	}
	t, err := Handshake(ctx, c, conf)
	if cert := peerCertificate(err); cert != nil && !known && !h.Now().Before(cert.NotBefore) && !h.Now().After(cert.NotAfter) {
		f.see(OK, fmt.Sprintf("%s: TLS answers, with a certificate good until %s; whether it is the right hub, only the node can tell", address, day(cert.NotAfter)))
		return true
	}
	if err != nil {
		f.see(bad, address+": TLS: "+err.Error(), tlsTrouble(err, h.Now(), "it is another hub than the one that this node has joined, or was made anew: join again")...)
		return false
	}
	cert := t.ConnectionState().PeerCertificates[0]
	date, err := ask(ctx, t, u)
	if err != nil {
		f.see(bad, address+": TLS comes about, and no hub answers: "+err.Error(), "it may have ended this node's certificate; at the hub: twinbridge node list")
		return false
	}
	f.see(OK, fmt.Sprintf("%s: the hub answers, its certificate is good until %s", address, day(cert.NotAfter)))
	if skew := date.Sub(h.Now()); !date.IsZero() && skew.Abs() > maxSkew {
		f.see(Warn, fmt.Sprintf("the hub's clock says %s, this machine's %s", date.UTC().Format(time.DateTime), h.Now().UTC().Format(time.DateTime)),
			"set the clock that is wrong, here or at the hub (timedatectl)")
	}
	return true
}

// maxPage bounds the answer of a hub, in bytes.
const maxPage = 1 << 20

// ask asks the hub how it is and gives the time of its clock; zero if it does not say.
func ask(ctx context.Context, c *tls.Conn, u *url.URL) (time.Time, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	one := &http.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return c, nil },
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxPage,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+u.Host+"/healthz", nil)
	if err != nil {
		return time.Time{}, err
	}
	res, err := one.RoundTrip(req)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read from
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxPage)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return time.Time{}, err
	}
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil // it says none
	}
	return date, nil
}
