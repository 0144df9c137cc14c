package deviceapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"twinbridge/twin"
)

// WishMany hands in a wish for many devices and waits for the outcomes, at most wait.
func (c *Client) WishMany(ctx context.Context, b Batch, wait time.Duration) (Batched, error) {
	q := url.Values{}
	if wait > 0 {
		q.Set("wait", min(wait, MaxWait).String())
	}
	var out Batched
	return out, c.ask(ctx, http.MethodPost, "/v1/wishes", q, b, &out)
}

// Nodes lists the nodes of a hub.
func (c *Client) Nodes(ctx context.Context) (Nodes, error) {
	var out Nodes
	return out, c.ask(ctx, http.MethodGet, "/v1/nodes", nil, nil, &out)
}

// Node gives one node of a hub.
func (c *Client) Node(ctx context.Context, name string) (Node, error) {
	var out Node
	return out, c.ask(ctx, http.MethodGet, nodePath(name), nil, nil, &out)
}

// DeleteNode revokes a node's certificate and forgets the node.
func (c *Client) DeleteNode(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodDelete, nodePath(name), nil, nil, nil)
}

// RevokeNode revokes a node's certificate.
func (c *Client) RevokeNode(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, nodePath(name)+"/revoke", nil, nil, nil)
}

// JoinToken makes a token that lets a node join, once; validFor 0 is the hub's own choice.
func (c *Client) JoinToken(ctx context.Context, name string, validFor time.Duration) (JoinToken, error) {
	var in JoinAsk
	if validFor != 0 {
		in.ValidFor = validFor.String()
	}
	var out JoinToken
	return out, c.ask(ctx, http.MethodPost, nodePath(name)+"/token", nil, in, &out)
}

// Move gives a device to another node.
func (c *Client) Move(ctx context.Context, n twin.Name, to MoveAsk) error {
	return c.ask(ctx, http.MethodPost, devicePath(n)+"/move", nil, to, nil)
}

// Tokens lists the API tokens of a hub.
func (c *Client) Tokens(ctx context.Context) (Tokens, error) {
	var out Tokens
	return out, c.ask(ctx, http.MethodGet, "/v1/tokens", nil, nil, &out)
}

// MakeToken makes an API token.
func (c *Client) MakeToken(ctx context.Context, in TokenAsk) (NewToken, error) {
	var out NewToken
	return out, c.ask(ctx, http.MethodPost, "/v1/tokens", nil, in, &out)
}

// RevokeToken ends an API token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil, nil)
}

// AuditFilter says which entries of the audit are meant; empty fields mean all.
type AuditFilter struct {
	Device, Who string
	Limit       int // 0: the server's own choice
	Cursor      string
}

// Audit gives a page of the audit, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (Audit, error) {
	q := url.Values{}
	for key, v := range map[string]string{"device": f.Device, "who": f.Who, "cursor": f.Cursor} {
		if v != "" {
			q.Set(key, v)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out Audit
	return out, c.ask(ctx, http.MethodGet, "/v1/audit", q, nil, &out)
}

func nodePath(name string) string { return "/v1/nodes/" + url.PathEscape(name) }

// ask sends a JSON body, if there is one.
func (c *Client) ask(ctx context.Context, method, path string, q url.Values, in, out any) error {
	var body []byte
	kind := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		kind = "application/json"
	}
	_, err := c.do(ctx, method, path, q, body, kind, out)
	return err
}
