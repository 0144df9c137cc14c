package pair

import (
	"bytes"
	"slices"
	"testing"

	"twinbridge/bridge/homekit/tlv8"
)

// owned is an accessory with an admin, on a verified connection.
func owned(t testing.TB) (*accessory, *controller, *Conn) {
	t.Helper()
	a := newAccessory(t)
	admin := newController(t, 1)
	conn := a.Conn("")
	admin.pair(conn, 0)
	admin.verify(conn)
	<-a.Changed()
	return a, admin, conn
}

func changed(a *accessory) bool {
	select {
	case <-a.Changed():
		return true
	default:
		return false
	}
}

func TestAdd(t *testing.T) {
	a, admin, conn := owned(t)
	guest, other := newController(t, 2), newController(t, 3)
	do := func(msg []byte) []string {
		t.Helper()
		reply, gone := conn.Pairings(msg)
		if !bytes.Equal(reply, answer(2)) {
			t.Fatalf("answer % X", reply)
		}
		return gone
	}
	do(addMsg(guest, 0))
	theirs := a.Conn("")
	guest.accessory, guest.name = admin.accessory, admin.name
	saves := a.disk.saves
	guest.verify(theirs)
	if theirs.Admin() || a.disk.saves != saves {
		t.Error("a guest who is an admin, or goes to disk at its first pair-verify")
	}
	// The same again changes the permissions, and at once.
	do(addMsg(guest, 1))
	if !theirs.Admin() || !a.disk.pairings[1].Admin {
		t.Error("the permissions did not change")
	}
	do(addMsg(guest, 0))
	if theirs.Admin() || !theirs.Authorised() {
		t.Error("the permissions did not change back")
	}
	saves = a.disk.saves
	do(addMsg(guest, 0))
	if a.disk.saves != saves {
		t.Error("nothing changed, and was saved")
	}
	// The same name with another key is somebody else.
	other.id = guest.id
	reply, gone := conn.Pairings(addMsg(other, 1))
	refused(t, reply, 2, errUnknown)
	if len(gone) != 0 || len(a.Pairings()) != 2 || theirs.Admin() || a.disk.saves != saves {
		t.Error("another key was taken")
	}

	for n := len(a.Pairings()); n < MaxPairings; n++ {
		do(addMsg(newController(t, uint64(100+n)), byte(n%2)))
	}
	saves = a.disk.saves
	reply, _ = conn.Pairings(addMsg(newController(t, 99), 0))
	refused(t, reply, 2, errMaxPeers)
	if len(a.Pairings()) != MaxPairings || a.disk.saves != saves {
		t.Errorf("%d pairings", len(a.Pairings()))
	}
	do(addMsg(guest, 1)) // who is there already needs no place
	if changed(a) {
		t.Error("told of a change between paired and not paired")
	}

	for name, msg := range map[string][]byte{
		"no permissions":  removeItem(addMsg(other, 0), typePermissions),
		"permission 2":    withItem(addMsg(newController(t, 98), 0), typePermissions, []byte{2}),
		"two bytes":       withItem(addMsg(newController(t, 98), 0), typePermissions, []byte{1, 0}),
		"no key":          removeItem(addMsg(newController(t, 98), 0), typePublicKey),
		"31 bytes":        withItem(addMsg(newController(t, 98), 0), typePublicKey, make([]byte, 31)),
		"no name":         removeItem(addMsg(newController(t, 98), 0), typeIdentifier),
		"name of 65":      withItem(addMsg(newController(t, 98), 0), typeIdentifier, bytes.Repeat([]byte("a"), 65)),
		"name not UTF-8":  withItem(addMsg(newController(t, 98), 0), typeIdentifier, []byte{0xFF}),
		"remove 65 bytes": removeMsg(string(bytes.Repeat([]byte("a"), 65))),
	} {
		reply, gone := conn.Pairings(msg)
		if !bytes.Equal(reply, refusal(2, errUnknown)) || gone != nil {
			t.Errorf("%s: % X", name, reply)
		}
	}
}

func removeItem(msg []byte, typ byte) []byte {
	items, _ := tlv8.Parse(msg)
	var b []byte
	for _, i := range items {
		if i.Type != typ {
			b = tlv8.Append(b, i.Type, i.Value)
		}
	}
	return b
}

func withItem(msg []byte, typ byte, value []byte) []byte {
	return tlv8.Append(removeItem(msg, typ), typ, value)
}

func TestRemove(t *testing.T) {
	a, admin, conn := owned(t)
	second, guest := newController(t, 2), newController(t, 3)
	conn.Pairings(addMsg(second, 1))
	conn.Pairings(addMsg(guest, 0))
	theirs, guests := a.Conn(""), a.Conn("")
	second.verify(theirs)
	guest.verify(guests)

	saves := a.disk.saves
	reply, gone := conn.Pairings(removeMsg("nobody"))
	succeeded(t, reply)
	if len(gone) != 0 || a.disk.saves != saves {
		t.Error("removing nobody did something")
	}

	// An admin can remove itself, and another one's connections end.
	reply, gone = theirs.Pairings(removeMsg(admin.id))
	succeeded(t, reply)
	if !slices.Equal(gone, []string{admin.id}) || conn.Authorised() || !theirs.Authorised() || !a.Paired() || len(a.disk.pairings) != 2 {
		t.Fatalf("gone %v", gone)
	}
	reply, s := a.Conn("").Verify(admin.hello().m1)
	admin.read(reply, 2)
	if s != nil {
		t.Fatal("session")
	}
	h := admin.hello()
	other := a.Conn("")
	m2, _ := other.Verify(h.m1)
	reply, s = other.Verify(h.m3(m2))
	refused(t, reply, 4, errAuthentication)
	if s != nil || changed(a) {
		t.Error("removed, and verifies")
	}

	// With the last admin all go, and the accessory can be paired again.
	reply, gone = theirs.Pairings(removeMsg(second.id))
	succeeded(t, reply)
	if !slices.Equal(gone, []string{second.id, guest.id}) || a.Paired() || len(a.disk.pairings) != 0 || theirs.Authorised() || guests.Authorised() {
		t.Fatalf("gone %v, paired %v", gone, a.Paired())
	}
	if !changed(a) || changed(a) {
		t.Error("nobody was told")
	}
	newController(t, 7).pair(a.Conn(""), 0)
	if !changed(a) {
		t.Error("nobody was told")
	}
}

// An admin that takes its own permission away is the last admin that goes.
func TestLastAdminDemoted(t *testing.T) {
	a, admin, conn := owned(t)
	guest := newController(t, 2)
	conn.Pairings(addMsg(guest, 0))
	reply, gone := conn.Pairings(addMsg(admin, 0))
	succeeded(t, reply)
	if !slices.Equal(gone, []string{admin.id, guest.id}) || a.Paired() || !changed(a) || conn.Authorised() {
		t.Errorf("gone %v, paired %v", gone, a.Paired())
	}
}

func TestList(t *testing.T) {
	a, admin, conn := owned(t)
	guest := newController(t, 2)
	conn.Pairings(addMsg(guest, 0))
	reply, gone := conn.Pairings(listMsg())
	want := tlv8.AppendByte(nil, typeState, 2)
	want = tlv8.Append(tlv8.Append(want, typeIdentifier, []byte(admin.id)), typePublicKey, admin.public())
	want = tlv8.AppendSeparator(tlv8.AppendByte(want, typePermissions, 1))
	want = tlv8.Append(tlv8.Append(want, typeIdentifier, []byte(guest.id)), typePublicKey, guest.public())
	want = tlv8.AppendByte(want, typePermissions, 0)
	if !bytes.Equal(reply, want) || gone != nil {
		t.Errorf("% X\nwant\n% X", reply, want)
	}
	for n := len(a.Pairings()); n < MaxPairings; n++ {
		c := newController(t, uint64(100+n))
		c.id = string(bytes.Repeat([]byte{byte('0' + n)}, maxIdentifier))
		reply, _ := conn.Pairings(addMsg(c, 0))
		succeeded(t, reply)
	}
	reply, _ = conn.Pairings(listMsg())
	if items := succeeded(t, reply); items.Count(typeIdentifier) != MaxPairings || items.Count(tlv8.Separator) != MaxPairings-1 {
		t.Errorf("%d identifiers", items.Count(typeIdentifier))
	}
}

// What a caller gets is a copy.
func TestPairingsCopy(t *testing.T) {
	a, admin, conn := owned(t)
	got := a.Pairings()
	got[0].Admin = false
	got[0].Key[0] ^= 1
	a.disk.pairings[0].Key[0] ^= 1
	if !conn.Admin() || !bytes.Equal(a.Pairings()[0].Key, admin.public()) {
		t.Error("changed from outside")
	}
}
