package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	askTime   = 20 * time.Second // for one answer
	maxAnswer = 8 << 20          // bytes of it
)

// api speaks to an edge through its socket, over connections that stay open.
type api struct{ http http.Client }

func newAPI(socket string) *api {
	var d net.Dialer
	return &api{http.Client{Timeout: askTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: burstSize,
	}}}
}

func (a *api) close() { a.http.CloseIdleConnections() }

// do asks and gives the body of an answer with one of the wanted statuses.
func (a *api) do(ctx context.Context, method, path, body string, statuses ...int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://edge"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err == nil && !slices.Contains(statuses, res.StatusCode) {
		err = fmt.Errorf("%s %s: status %d: %.300s", method, path, res.StatusCode, text)
	}
	return text, err
}

// onOff gives the i-th value of a lamp that is switched on and off.
func onOff(i int) string { return [...]string{"ON", "OFF"}[i%2] }

// set wishes and waits until the lamp has done it.
func (a *api) set(ctx context.Context, name, value string) error {
	_, err := a.do(ctx, http.MethodPatch, "/v1/devices/default/"+name+"/expected?wait=10s",
		`{"expected":{"powerstatus":"`+value+`"}}`, http.StatusOK) // 200: applied
	return err
}

// accepted wishes and does not wait.
func (a *api) accepted(ctx context.Context, name, value string) error {
	_, err := a.do(ctx, http.MethodPatch, "/v1/devices/default/"+name+"/expected",
		`{"expected":{"powerstatus":"`+value+`"}}`, http.StatusOK, http.StatusAccepted)
	return err
}

// shown is a device as far as it is looked at here.
type shown struct {
	Name       string `json:"name"`
	Presence   string `json:"presence"`
	Properties map[string]struct {
		Expected *struct {
			Value any    `json:"value"`
			Rev   uint64 `json:"rev"`
		} `json:"expected"`
		Actual *struct {
			Value any `json:"value"`
		} `json:"actual"`
		Wish *struct{} `json:"wish"`
	} `json:"properties"`
}

// state gives what is expected of a lamp and what it does.
func (d *shown) state() string {
	expected := ""
	if v := d.Properties["powerstatus"].Expected; v != nil {
		expected = fmt.Sprint(v.Value)
	}
	return expected + "/" + d.actual("powerstatus")
}

// quiet reports whether a lamp does what is expected and waits for nothing.
func (d *shown) quiet() bool {
	p := d.Properties["powerstatus"]
	return p.Wish == nil && p.Expected != nil && p.Actual != nil && p.Expected.Value == p.Actual.Value
}

// actual gives a value as text, "" if none was reported.
func (d *shown) actual(property string) string {
	if v := d.Properties[property].Actual; v != nil {
		return fmt.Sprint(v.Value)
	}
	return ""
}

func (a *api) device(ctx context.Context, name string) (*shown, error) {
	return a.deviceAt(ctx, "default/"+name)
}

// deviceAt gives a device of any namespace.
func (a *api) deviceAt(ctx context.Context, name string) (*shown, error) {
	text, err := a.do(ctx, http.MethodGet, "/v1/devices/"+name, "", http.StatusOK)
	if err != nil {
		return nil, err
	}
	d := &shown{}
	return d, json.Unmarshal(text, d)
}

// devices gives all devices, page by page.
func (a *api) devices(ctx context.Context) ([]shown, error) {
	const page = 1000
	var all []shown
	next := ""
	for {
		q := url.Values{"limit": {strconv.Itoa(page)}}
		if next != "" {
			q.Set("cursor", next)
		}
		text, err := a.do(ctx, http.MethodGet, "/v1/devices?"+q.Encode(), "", http.StatusOK)
		if err != nil {
			return nil, err
		}
		var list struct {
			Devices []shown `json:"devices"`
			Next    string  `json:"next"`
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Devices...)
		if next = list.Next; next == "" {
			return all, nil
		}
	}
}

// metrics gives the numbers of the edge by name, those with labels left out.
func (a *api) metrics(ctx context.Context) (map[string]float64, error) {
	text, err := a.do(ctx, http.MethodGet, "/metrics", "", http.StatusOK)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if out[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return out, lines.Err()
}

// until asks again every few milliseconds until ok, at most as long as told.
func until(ctx context.Context, limit, pause time.Duration, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		good, err := ok()
		if good {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return fmt.Errorf("not within %v: %w", limit, err)
		}
	}
}

// wait lets time pass that is part of what is measured.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
