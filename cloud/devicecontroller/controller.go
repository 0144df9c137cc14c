package devicecontroller

import (
	"context"

	"twinbridge/cloud/registry"
)

// Links are the sessions as the controller needs them; the hub of connections keeps them.
type Links interface {
	// Wake lets a node's session ask what there is to tell. A node that is away is left alone.
	Wake(node string)
}

// Controller keeps a registry and sessions in step. Its embedded steps are what sessions call.
type Controller struct {
	registry.Sessions
}

// New makes a controller of a registry.
func New(r registry.Sessions) *Controller { return &Controller{r} }

// Run wakes sessions until ctx ends.
func (c *Controller) Run(ctx context.Context, links Links) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.TalkC():
			for _, node := range c.TakeTalk() {
				links.Wake(node)
			}
		}
	}
}
