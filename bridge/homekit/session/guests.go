package session

import (
	"net/netip"
	"slices"
)

// maxKnown is how many addresses are remembered from which a connection became secure.
const maxKnown = 64

// known are addresses from which a connection became secure, the latest first: those of the phones and hubs of the house.
// It proves nothing; it only decides who stays when strangers push.
type known []netip.Addr

func (k known) has(a netip.Addr) bool { return slices.Contains(k, a) }

// add puts an address first and forgets the one that was not seen for longest.
func (k *known) add(a netip.Addr) {
	if i := slices.Index(*k, a); i >= 0 {
		*k = slices.Delete(*k, i, i+1)
	} else if len(*k) >= maxKnown {
		*k = (*k)[:maxKnown-1]
	}
	*k = slices.Insert(*k, 0, a)
}

// guest is what counts of an unverified connection when there are too many.
type guest struct {
	from  netip.Addr
	known bool
	asked bool // has asked something
}

// whoGoes picks the one that must go, as doc.go says. The guests stand in the order in which they came; the last one has
// just come, counts for its address, and stays. There are at least two.
//
// An address that is known may have two: a phone that comes again while its last attempt still hangs.
func whoGoes(guests []guest) int {
	worst, at := -1, 0
	for i, g := range guests[:len(guests)-1] {
		share := 0
		for _, other := range guests {
			if other.from == g.from {
				share++
			}
		}
		if g.known && share <= 2 {
			share = 0
		}
		rank := share * 4
		if !g.known {
			rank += 2
		}
		if !g.asked {
			rank++
		}
		if rank > worst {
			worst, at = rank, i
		}
	}
	return at
}
