package deviceapi

import (
	"context"
	"net/http"
	"strconv"
)

// HomeKit tells what the node shows to HomeKit, and who has paired.
func (c *Client) HomeKit(ctx context.Context) (HomeKit, error) {
	var out HomeKit
	return out, c.ask(ctx, http.MethodGet, "/v1/homekit", nil, nil, &out)
}

// ResetHomeKit makes a new bridge of that one: nobody has paired with it.
func (c *Client) ResetHomeKit(ctx context.Context, bridge int) error {
	return c.ask(ctx, http.MethodPost, "/v1/homekit/"+strconv.Itoa(bridge)+"/reset", nil, nil, nil)
}
