package deviceapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"twinbridge/twin"
)

// maxAnswer bounds what the client reads of an answer: a full page of full devices.
const maxAnswer = 64 << 20

// ErrNotRunning is wrapped by the error of a request to a socket where nobody listens.
var ErrNotRunning = errors.New("nobody answers")

// Problem is an answer that says no.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		if !strings.Contains(text, e.Message) { // huma's own say "validation failed" and leave the rest to the list
			text += "; " + strings.TrimPrefix(e.Location+": ", ": ") + e.Message
		}
	}
	return text
}

// Client speaks to a server of these operations. It is safe for use by several goroutines.
type Client struct {
	base   *url.URL
	socket string
	token  string
	http   http.Client
}

// ClientOptions are what [NewClient] may be told. The zero value is good for a server that asks for nothing.
type ClientOptions struct {
	// Token goes behind "Authorization: Bearer". It is not sent over plain HTTP to anywhere but this machine.
	Token string
	// CAs vouch for an https server in the place of the system's; nil: the system's.
	CAs *x509.CertPool
}

// NewClient makes a client for the server at an http or https URL. A bad URL, or a token that would go over the network
// in the clear, is a *twin.FieldError.
func NewClient(server string, o ClientOptions) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, &twin.FieldError{Field: "server", Value: clip(server), Want: "a URL, as https://hub.example:8443"}
	}
	if o.Token != "" && base.Scheme == "http" && !onThisMachine(base.Hostname()) {
		return nil, &twin.FieldError{Field: "server", Value: clip(server), Want: "https, as a token is sent to it"}
	}
	base.Path, base.RawQuery, base.Fragment = strings.TrimSuffix(base.Path, "/"), "", ""
	return &Client{base: base, token: o.Token, http: http.Client{
		// A redirect could lead the token elsewhere, and no operation has one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: answerTime,
			DialContext:     (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: o.CAs},
		},
	}}, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// NewSocketClient makes a client for the server behind a unix socket.
func NewSocketClient(path string) *Client {
	return &Client{base: &url.URL{Scheme: "http", Host: "edge"}, socket: path, http: http.Client{Transport: SocketTransport(path)}}
}

// SocketTransport carries HTTP over a unix socket, whatever host the URL names.
func SocketTransport(path string) *http.Transport {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	return &http.Transport{
		ResponseHeaderTimeout: answerTime,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		},
	}
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Devices gives all devices that fit, page by page.
func (c *Client) Devices(ctx context.Context, f Filter) ([]Device, error) {
	var all []Device
	q := f.query()
	q.Set("limit", strconv.Itoa(maxPage))
	for {
		var page List
		if _, err := c.do(ctx, http.MethodGet, "/v1/devices", q, nil, "", &page); err != nil {
			return nil, err
		}
		all = append(all, page.Devices...)
		if page.Next == "" || page.Next == q.Get("cursor") || len(all) > twin.MaxDevices {
			return all, nil
		}
		q.Set("cursor", page.Next)
	}
}

// Device gives a device and its twin.
func (c *Client) Device(ctx context.Context, n twin.Name) (Device, error) {
	var d Device
	_, err := c.do(ctx, http.MethodGet, devicePath(n), nil, nil, "", &d)
	return d, err
}

// Wish hands in a wish and waits for its outcome, at most wait. A wish that ended otherwise than applied is no error.
func (c *Client) Wish(ctx context.Context, n twin.Name, p Patch, wait time.Duration) (Wish, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return Wish{}, fmt.Errorf("write the wish: %w", err)
	}
	q := url.Values{}
	if wait > 0 {
		q.Set("wait", min(wait, MaxWait).String())
	}
	var w Wish
	_, err = c.do(ctx, http.MethodPatch, devicePath(n)+"/expected", q, body, "application/json", &w)
	return w, err
}

// Delete removes a device for good.
func (c *Client) Delete(ctx context.Context, n twin.Name) error {
	_, err := c.do(ctx, http.MethodDelete, devicePath(n), nil, nil, "", nil)
	return err
}

// Apply makes devices and models as a manifest says.
func (c *Client) Apply(ctx context.Context, manifest []byte) (Applied, error) {
	var a Applied
	_, err := c.do(ctx, http.MethodPost, "/v1/apply", nil, manifest, "application/yaml", &a)
	return a, err
}

// Manifest gives a device and its model as a manifest, which Apply takes.
func (c *Client) Manifest(ctx context.Context, n twin.Name) ([]byte, error) {
	var text []byte
	_, err := c.do(ctx, http.MethodGet, "/v1/manifests/"+url.PathEscape(n.Namespace)+"/"+url.PathEscape(n.Name), nil, nil, "", &text)
	return text, err
}

// Profile gives deviceProfile.json of these devices; none named: of all. Names of more than 4096 bytes together are a
// *twin.FieldError.
func (c *Client) Profile(ctx context.Context, names []twin.Name) ([]byte, error) {
	q := url.Values{}
	if len(names) > 0 {
		list, err := joinNames(names)
		if err != nil {
			return nil, err
		}
		q.Set("devices", list)
	}
	var text []byte
	_, err := c.do(ctx, http.MethodGet, "/v1/profile", q, nil, "", &text)
	return text, err
}

// Health tells how the server is; a degraded one is no error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	_, err := c.do(ctx, http.MethodGet, "/healthz", nil, nil, "", &h)
	return h, err
}

func devicePath(n twin.Name) string {
	return "/v1/devices/" + url.PathEscape(n.Namespace) + "/" + url.PathEscape(n.Name)
}

// do asks and reads the answer into out: a *[]byte takes it as it is, everything else what the JSON says.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, body []byte, kind string, out any) (int, error) {
	res, err := c.send(ctx, method, path, q, body, kind)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return res.StatusCode, fmt.Errorf("read the answer: %w", err)
	}
	if len(text) > maxAnswer {
		return res.StatusCode, fmt.Errorf("read the answer: more than %d MiB", maxAnswer>>20)
	}
	return res.StatusCode, answer(res.StatusCode, text, out)
}

// answer reads what was answered. Two problems are answers all the same: a wish that ended otherwise, and bad health.
func answer(status int, text []byte, out any) error {
	switch out := out.(type) {
	case *Wish:
		if status == http.StatusConflict && json.Unmarshal(text, out) == nil && out.ID != "" {
			return nil
		}
	case *Health:
		if status == http.StatusServiceUnavailable && json.Unmarshal(text, out) == nil && out.Status != "" {
			return nil
		}
	}
	if status >= 300 {
		p := &Problem{}
		if json.Unmarshal(text, p) != nil || p.Title == "" && p.Detail == "" {
			p.Detail = fmt.Sprintf("status %d: %s", status, clip(string(text)))
		}
		p.Status = status
		return p
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = text
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, q url.Values, body []byte, kind string) (*http.Response, error) {
	target := c.base.Scheme + "://" + c.base.Host + c.base.Path + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL.User = c.base.User
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.http.Do(req)
	if err == nil {
		return res, nil
	}
	if uerr := (*url.Error)(nil); errors.As(err, &uerr) {
		err = uerr.Err // its text repeats method and URL
	}
	if c.socket != "" && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)) {
		return nil, fmt.Errorf("%w at %s", ErrNotRunning, c.socket)
	}
	return nil, err
}
