package hostile

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"twinbridge/internal/haptest"
)

// endTime is how long a session may last after its pairing has gone.
const endTime = time.Second

// asking are the requests of HAP 5.10 to 5.12, for a controller.
func asking(about *phone, permissions byte) map[string][]haptest.Item {
	return map[string][]haptest.Item{
		"add": {
			haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodAddPairing),
			{Type: haptest.TypeIdentifier, Value: []byte(about.ID)},
			{Type: haptest.TypePublicKey, Value: about.Public()},
			haptest.Byte(haptest.TypePermissions, permissions),
		},
		"remove": {haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodRemovePairing), {Type: haptest.TypeIdentifier, Value: []byte(about.ID)}},
		"list":   {haptest.Byte(haptest.TypeState, 1), haptest.Byte(haptest.TypeMethod, haptest.MethodListPairings)},
	}
}

// guest adds a controller to the bridge.
func (h *home) guest(t *testing.T, by *haptest.Conn, owner *phone, admin bool) *phone {
	t.Helper()
	g := newPhone(t)
	g.bridge, g.lamps = owner.bridge, owner.lamps
	if err := by.AddPairing(t.Context(), haptest.Pairing{ID: g.ID, Key: g.Public(), Admin: admin}); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestHomeKitPairings: who may look after the pairings, and what becomes of sessions whose pairing has gone.
func TestHomeKitPairings(t *testing.T) {
	h := newHome(t, 1)
	owner := h.pair(t)
	admin := h.secure(t, owner, ownersAddr)
	user, victim := h.guest(t, admin, owner, false), h.guest(t, admin, owner, true)
	table := func() string { return fmt.Sprint(h.bridge(t).Controllers) }

	usersConn := h.secure(t, user, ownersAddr)
	victimsConn := h.secure(t, victim, ownersAddr)
	for _, about := range []*phone{owner, user, victim, newPhone(t)} {
		for _, permissions := range []byte{0, 1} {
			for method, request := range asking(about, permissions) {
				// A user is refused, and whoever has not verified does not get as far.
				before := table()
				answer, err := usersConn.PostTLV(t.Context(), "/pairings", request...)
				refused(t, "a user's "+method, answer, err, haptest.CodeAuthentication)
				if len(answer) > 2 {
					t.Errorf("a user's %s was answered %v", method, answer)
				}
				c := h.open(t, strangersAddr)
				if m, err := c.Exchange(t.Context(), haptest.Request(http.MethodPost, "/pairings", typeTLV, haptest.EncodeTLV(request...))); err != nil || m.Status != 470 {
					t.Errorf("a stranger's %s: %d %v, want 470", method, m.Status, err)
				}
				// Over the paths that anybody may use.
				for _, path := range []string{pathSetup, pathVerify} {
					answer, err = c.PostTLV(t.Context(), path, request...)
					refused(t, "a stranger's "+method+" at "+path, answer, err)
				}
				c.Close()
				if now := table(); now != before {
					t.Fatalf("a user's or a stranger's %s changed the pairings to %s, before %s", method, now, before)
				}
			}
		}
	}
	if list, err := admin.Pairings(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("the owner's list: %v, %v", list, err)
	}
	// An admin who becomes a user is one at once, on connections that are open too.
	if err := admin.AddPairing(t.Context(), haptest.Pairing{ID: victim.ID, Key: victim.Public()}); err != nil {
		t.Fatal(err)
	}
	answer, err := victimsConn.PostTLV(t.Context(), "/pairings", asking(owner, 0)["remove"]...)
	refused(t, "an admin who is none any more", answer, err, haptest.CodeAuthentication)
	// Nobody takes another one's place with a key of his own.
	thief := newPhone(t)
	if err := admin.AddPairing(t.Context(), haptest.Pairing{ID: user.ID, Key: thief.Public(), Admin: true}); !isRefused(err, haptest.CodeUnknown) {
		t.Errorf("another key for a known controller: %v", err)
	}

	// Removed: all sessions end, nothing is told, and it does not come back.
	second := h.secure(t, victim, "127.0.0.4")
	if err := second.Subscribe(t.Context(), victim.lamps...); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := admin.RemovePairing(t.Context(), victim.ID); err != nil {
		t.Fatal(err)
	}
	h.works(t, "after a removal")
	for _, c := range []*haptest.Conn{victimsConn, second} {
		if said := gone(t, c, 5*time.Second); len(said) > 0 {
			t.Errorf("a removed controller was told %v", said)
		}
	}
	if took := time.Since(begun); took > endTime {
		t.Errorf("the sessions of a removed controller ended after %v", took)
	} else {
		t.Logf("the sessions of a removed controller ended after %v", took.Round(time.Millisecond))
	}
	for range 3 {
		if _, err := h.trySecure(t, victim, ownersAddr); !isRefused(err, haptest.CodeAuthentication) {
			t.Errorf("a removed controller comes back: %v", err)
		}
		if err := h.tryPair(t, victim, "031-45-154"); !isRefused(err, haptest.CodeUnavailable) {
			t.Errorf("a removed controller pairs: %v", err)
		}
		h.again(t, false)
	}
	h.follows(t, owner, "after a removal")

	// With the last admin all go, who asks first gets the answer, and it can be paired again.
	admin, usersConn = h.secure(t, owner, ownersAddr), h.secure(t, user, ownersAddr)
	begun = time.Now()
	if err := admin.RemovePairing(t.Context(), owner.ID); err != nil {
		t.Errorf("the last admin removes himself: %v", err)
	}
	gone(t, admin, 5*time.Second)
	gone(t, usersConn, 5*time.Second)
	if took := time.Since(begun); took > endTime {
		t.Errorf("the last sessions ended after %v", took)
	}
	h.unpaired(t, "the last admin went")
	for _, p := range []*phone{owner, user} {
		if _, err := h.trySecure(t, p, ownersAddr); !isRefused(err, haptest.CodeAuthentication) {
			t.Errorf("who was removed with the last admin comes back: %v", err)
		}
	}
	h.follows(t, h.pair(t), "paired again")
}

// TestHomeKitTwoBridges: what becomes of one bridge of a node is nothing to the other.
func TestHomeKitTwoBridges(t *testing.T) {
	listen := freePair(t)
	h := newHome(t, 1, "listen: "+listen, "bridges: 2")
	owner := h.pair(t)
	c := h.secure(t, owner, ownersAddr)
	if err := c.Subscribe(t.Context(), owner.lamps...); err != nil {
		t.Fatal(err)
	}
	all, _ := h.bridges(t)
	if len(all) != 2 || all[0].ID == all[1].ID || all[0].Code == all[1].Code {
		t.Fatalf("two bridges: %+v", all)
	}
	other := *h
	other.addr = fmt.Sprintf("127.0.0.1:%d", all[1].Port)
	p := newPhone(t)
	if err := other.tryPair(t, p, h.bridge(t).Code); err == nil {
		t.Error("the code of one bridge pairs with the other")
	}
	if err := other.tryPair(t, p, all[1].Code); err != nil {
		t.Fatal(err)
	}
	if _, err := h.trySecure(t, p, ownersAddr); err == nil {
		t.Error("a pairing of one bridge is good for the other")
	}
	d := other.secure(t, p, ownersAddr)
	for range maxTries / 10 {
		if err := h.tryPair(t, newPhone(t), "031-45-154"); !isRefused(err, haptest.CodeUnavailable) {
			t.Error(err)
		}
	}
	if err := d.RemovePairing(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	gone(t, d, 5*time.Second)
	h.works(t, "after the other bridge")
	if m, err := c.Event(t.Context()); err != nil || !m.Event {
		t.Errorf("no event on the connection to the first bridge: %v", err)
	}
	h.follows(t, owner, "after the other bridge")
}
