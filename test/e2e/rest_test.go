package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// wish and device are what REST answers, as far as these tests look at it. They are written here once more on purpose:
// the names on the wire are a promise.
type wish struct {
	ID       string         `json:"id"`
	Device   string         `json:"device"`
	Expected map[string]any `json:"expected"`
	Outcome  string         `json:"outcome"`
	Reason   string         `json:"reason"`
	Trouble  string         `json:"trouble"`
	By       string         `json:"by"`
	Rev      uint64         `json:"rev"`
}

type device struct {
	Namespace  string              `json:"namespace"`
	Name       string              `json:"name"`
	UID        string              `json:"uid"`
	Presence   string              `json:"presence"`
	Rev        uint64              `json:"rev"`
	Properties map[string]property `json:"properties"`
}

type property struct {
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
	} `json:"wish"`
}

func (d device) expected(p string) any {
	if e := d.Properties[p].Expected; e != nil {
		return e.Value
	}
	return nil
}

func (d device) actual(p string) any {
	if a := d.Properties[p].Actual; a != nil {
		return a.Value
	}
	return nil
}

func (d device) String() string {
	b, err := json.Marshal(d)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// api speaks to a running edge through its socket.
type api struct{ http http.Client }

func newAPI(socket string) *api {
	var d net.Dialer
	return &api{http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", socket)
			},
			MaxIdleConnsPerHost: 16,
		},
	}}
}

// do asks and reads the answer into out. The error tells of the way, not of the status.
func (a *api) do(ctx context.Context, method, path, body string, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://edge"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if out != nil && len(text) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			return res.StatusCode, fmt.Errorf("%s %s: status %d, body %.200q: %w", method, path, res.StatusCode, text, err)
		}
	}
	return res.StatusCode, nil
}

func (a *api) device(ctx context.Context, name string) (device, error) {
	var d device
	status, err := a.do(ctx, http.MethodGet, "/v1/devices/default/"+name, "", &d)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("get device %s: status %d", name, status)
	}
	return d, err
}

func (a *api) patch(ctx context.Context, name, query, body string) (int, wish, error) {
	var w wish
	status, err := a.do(ctx, http.MethodPatch, "/v1/devices/default/"+name+"/expected"+query, body, &w)
	return status, w, err
}
