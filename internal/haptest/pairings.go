package haptest

import (
	"context"
	"crypto/ed25519"
	"fmt"
)

// Pairing is an entry of an accessory's list of controllers.
type Pairing struct {
	ID    string
	Key   ed25519.PublicKey
	Admin bool
}

const pathPairings = "/pairings"

// pairings posts a request of an admin and holds its answer against the state (HAP 5.10 to 5.12).
func (c *Conn) pairings(ctx context.Context, method byte, more ...Item) ([]Item, error) {
	items := append([]Item{Byte(TypeState, 1), Byte(TypeMethod, method)}, more...)
	answer, err := c.PostTLV(ctx, pathPairings, items...)
	if err != nil {
		return nil, err
	}
	return answer, expect(answer, 2)
}

// AddPairing makes the accessory accept another controller.
func (c *Conn) AddPairing(ctx context.Context, p Pairing) error {
	permissions := byte(0)
	if p.Admin {
		permissions = 1
	}
	_, err := c.pairings(ctx, MethodAddPairing,
		Item{TypeIdentifier, []byte(p.ID)}, Item{TypePublicKey, p.Key}, Byte(TypePermissions, permissions))
	return err
}

// RemovePairing makes the accessory forget a controller.
func (c *Conn) RemovePairing(ctx context.Context, id string) error {
	_, err := c.pairings(ctx, MethodRemovePairing, Item{TypeIdentifier, []byte(id)})
	return err
}

// Pairings lists the controllers that the accessory accepts. The order of items is held against the specification: State
// first, then Identifier, PublicKey and Permissions of each, with a separator between two (HAP 5.12).
func (c *Conn) Pairings(ctx context.Context) ([]Pairing, error) {
	answer, err := c.pairings(ctx, MethodListPairings)
	if err != nil {
		return nil, err
	}
	return parsePairings(answer)
}

func parsePairings(answer []Item) ([]Pairing, error) {
	if len(answer) == 0 || answer[0].Type != TypeState {
		return nil, fmt.Errorf("list of pairings: it does not begin with a state")
	}
	var out []Pairing
	rest := answer[1:]
	for len(rest) > 0 {
		if len(out) > 0 {
			if rest[0].Type != TypeSeparator || len(rest[0].Value) != 0 {
				return nil, fmt.Errorf("list of pairings: item 0x%02x behind pairing %d, expected a separator", rest[0].Type, len(out))
			}
			rest = rest[1:]
		}
		if len(rest) < 3 || rest[0].Type != TypeIdentifier || rest[1].Type != TypePublicKey || rest[2].Type != TypePermissions || len(rest[2].Value) != 1 {
			return nil, fmt.Errorf("list of pairings: pairing %d is not identifier, public key, permissions", len(out)+1)
		}
		out = append(out, Pairing{string(rest[0].Value), rest[1].Value, rest[2].Value[0]&1 != 0})
		rest = rest[3:]
	}
	return out, nil
}
