package world

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"time"
)

// Wish is a wish as REST shows it.
type Wish struct {
	ID       string         `json:"id"`
	Device   string         `json:"device"`
	Expected map[string]any `json:"expected"`
	Outcome  string         `json:"outcome"`
	Reason   string         `json:"reason"`
	Trouble  string         `json:"trouble"`
	By       string         `json:"by"`
	Rev      uint64         `json:"rev"`
	Detail   string         `json:"detail"` // of a problem
}

// Device is a device as REST shows it.
type Device struct {
	Namespace  string              `json:"namespace"`
	Name       string              `json:"name"`
	UID        string              `json:"uid"`
	Node       string              `json:"node"`
	Presence   string              `json:"presence"`
	NodeAway   *time.Time          `json:"nodeAway"`
	Rev        uint64              `json:"rev"`
	Properties map[string]Property `json:"properties"`
}

// Property is one property of a twin.
type Property struct {
	Type     string `json:"type"`
	Expected *struct {
		Value  any    `json:"value"`
		Origin string `json:"origin"`
		Rev    uint64 `json:"rev"`
	} `json:"expected"`
	Actual *struct {
		Value any `json:"value"`
	} `json:"actual"`
	Wish *struct {
		ID      string `json:"id"`
		Outcome string `json:"outcome"`
		Trouble string `json:"trouble"`
		Restore bool   `json:"restore"`
	} `json:"wish"`
}

// Expected is what is expected of a property, nil for nothing.
func (d Device) Expected(p string) any {
	if e := d.Properties[p].Expected; e != nil {
		return e.Value
	}
	return nil
}

// Origin tells where the expected value came from.
func (d Device) Origin(p string) string {
	if e := d.Properties[p].Expected; e != nil {
		return e.Origin
	}
	return ""
}

// Actual is what a property shows, nil for nothing.
func (d Device) Actual(p string) any {
	if a := d.Properties[p].Actual; a != nil {
		return a.Value
	}
	return nil
}

// Quiet reports whether nothing is pending.
func (d Device) Quiet() bool {
	for p := range maps.Values(d.Properties) {
		if p.Wish != nil {
			return false
		}
	}
	return true
}

func (d Device) String() string {
	b, err := json.Marshal(d)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Dial opens connections.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// API speaks to a hub or a node.
type API struct {
	HTTP   *http.Client
	Base   string      // as https://192.0.2.1:8443
	Header http.Header // of each request
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// NewSocketAPI speaks through a unix socket.
func NewSocketAPI(socket string) *API {
	var d net.Dialer
	return newAPI("http://socket", &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	})
}

// NewTLSAPI speaks to an address over TLS, with a token if there is one.
func NewTLSAPI(base string, config *tls.Config, dial Dial, token string) *API {
	a := newAPI(base, &http.Transport{DialContext: dial, TLSClientConfig: config})
	if token != "" {
		a.Header.Set("Authorization", "Bearer "+token)
	}
	return a
}

func newAPI(base string, tr *http.Transport) *API {
	tr.MaxIdleConnsPerHost = 64
	return &API{HTTP: &http.Client{Timeout: 90 * time.Second, Transport: tr}, Base: base, Header: http.Header{}}
}

// Close lets go of idle connections.
func (a *API) Close() { a.HTTP.CloseIdleConnections() }

// Request makes a request.
func (a *API) Request(ctx context.Context, method, path, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.Base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, a.Header)
	if body != "" && body[0] == '{' {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// Do asks and reads the answer into out. The error tells of the way, not of the status.
func (a *API) Do(ctx context.Context, method, path, body string, out any) (int, error) {
	req, err := a.Request(ctx, method, path, body)
	if err != nil {
		return 0, err
	}
	status, _, err := a.Send(req, out)
	return status, err
}

// Send sends a request and reads the answer into out.
func (a *API) Send(req *http.Request, out any) (int, http.Header, error) {
	res, err := a.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, err
	}
	if out != nil && len(text) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			return res.StatusCode, res.Header, fmt.Errorf("%s %s: status %d, body %.200q: %w", req.Method, req.URL.Path, res.StatusCode, text, err)
		}
	}
	return res.StatusCode, res.Header, nil
}

// Device reads a device of the namespace default.
func (a *API) Device(ctx context.Context, name string) (Device, error) {
	var d Device
	status, err := a.Do(ctx, http.MethodGet, "/v1/devices/default/"+name, "", &d)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("get device %s: status %d", name, status)
	}
	return d, err
}

// Devices reads all devices.
func (a *API) Devices(ctx context.Context) ([]Device, error) {
	var out []Device
	for next := ""; ; {
		var page struct {
			Devices []Device `json:"devices"`
			Next    string   `json:"next"`
		}
		path := "/v1/devices"
		if next != "" {
			path += "?cursor=" + next
		}
		status, err := a.Do(ctx, http.MethodGet, path, "", &page)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("list devices: status %d", status)
		}
		out = append(out, page.Devices...)
		if next = page.Next; next == "" {
			return out, nil
		}
	}
}

// Patch wishes. query is "" or begins with "?".
func (a *API) Patch(ctx context.Context, name, query, body string) (int, Wish, error) {
	var w Wish
	status, err := a.Do(ctx, http.MethodPatch, "/v1/devices/default/"+name+"/expected"+query, body, &w)
	return status, w, err
}

// Wish reads what became of a wish.
func (a *API) Wish(ctx context.Context, id string) (int, Wish, error) {
	var w Wish
	status, err := a.Do(ctx, http.MethodGet, "/v1/wishes/"+id, "", &w)
	return status, w, err
}
