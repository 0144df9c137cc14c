package pair

import (
	"bytes"
	"testing"

	"twinbridge/bridge/homekit/tlv8"
)

// answered checks what holds for every answer.
func answered(t *testing.T, reply []byte, limit int) {
	t.Helper()
	items, err := tlv8.Parse(reply)
	if err != nil || len(items) == 0 || items[0].Type != typeState || len(items[0].Value) != 1 || len(reply) > limit {
		t.Fatalf("answer % X", reply)
	}
	if s := items[0].Value[0]; s != 2 && s != 4 && s != 6 {
		t.Fatalf("answer in state %d", s)
	}
}

func FuzzSetup(f *testing.F) {
	a := newAccessory(f)
	c := newController(f, 1)
	for at := range byte(3) {
		f.Add(at, c.m1())
		f.Add(at, m3([]byte{5}, make([]byte, 64)))
		f.Add(at, m3(nil, make([]byte, 64)))
		f.Add(at, m3(hapN.Bytes(), make([]byte, 64)))
		f.Add(at, tlv8.Append(tlv8.AppendByte(nil, typeState, 5), typeEncryptedData, make([]byte, 200)))
	}
	s := &setup{c: c, shared: make([]byte, 64)}
	f.Add(byte(2), s.exchange(s.inner()))
	f.Fuzz(func(t *testing.T, at byte, body []byte) {
		c.t = t
		a.failures = 0
		a.put(nil)
		conn := a.Conn("")
		if at %= 3; at > 0 {
			c.read(conn.Setup(0, c.m1()), 2)
		}
		if at == 2 {
			shared := [64]byte{}      // known to whoever finds it here
			a.ready = conn.proc.offer // nothing was tried on it
			conn.proc.stage, conn.proc.offer = 5, nil
			conn.proc.keys = &proven{shared, derive(shared[:], "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")}
		}
		answered(t, conn.Setup(0, body), 1024)
		if at < 2 && a.Paired() {
			t.Fatal("paired")
		}
		conn.Closed()
		if a.turns.running != nil {
			t.Fatal("the procedure goes on")
		}
	})
}

// FuzzSetupInner is what a controller sends that knows the code.
func FuzzSetupInner(f *testing.F) {
	a := newAccessory(f)
	s := &setup{c: newController(f, 1), shared: make([]byte, 64)}
	f.Add(s.inner())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, inner []byte) {
		s.c.t = t
		a.put(nil)
		conn := a.Conn("")
		s.c.read(conn.Setup(0, s.c.m1()), 2)
		shared := [64]byte{}
		a.ready = conn.proc.offer // nothing was tried on it
		conn.proc.stage, conn.proc.offer = 5, nil
		conn.proc.keys = &proven{shared, s.key()}
		answered(t, conn.Setup(0, s.exchange(inner)), 1024)
		if a.Paired() != (len(a.Pairings()) == 1) || a.Paired() && checkPairings(a.Pairings()) != nil {
			t.Fatalf("%+v", a.Pairings())
		}
		conn.Closed()
	})
}

func FuzzVerify(f *testing.F) {
	a, admin, _ := owned(f)
	h := admin.hello()
	for at := range byte(2) {
		f.Add(at, h.m1)
		f.Add(at, tlv8.Append(tlv8.AppendByte(nil, typeState, 3), typeEncryptedData, make([]byte, 120)))
		for _, p := range lowOrder {
			f.Add(at, tlv8.Append(tlv8.AppendByte(nil, typeState, 1), typePublicKey, unhex(f, p)))
		}
	}
	f.Fuzz(func(t *testing.T, at byte, body []byte) {
		admin.t = t
		conn := a.Conn("")
		if at%2 == 1 {
			m2, _ := conn.Verify(h.m1)
			admin.read(m2, 2)
		}
		reply, s := conn.Verify(body)
		answered(t, reply, 512)
		if s != nil || conn.Authorised() {
			t.Fatal("verified")
		}
	})
}

func FuzzPairings(f *testing.F) {
	a, admin, conn := owned(f)
	guest := newController(f, 2)
	for _, msg := range [][]byte{addMsg(guest, 0), addMsg(guest, 1), addMsg(admin, 0), removeMsg(guest.id), removeMsg(admin.id), listMsg(), nil} {
		f.Add(msg)
	}
	before := a.state.Load().table
	stranger := a.Conn("")
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, gone := stranger.Pairings(body)
		if !bytes.Equal(reply, refusal(2, errAuthentication)) || gone != nil {
			t.Fatalf("% X", reply)
		}
		reply, gone = conn.Pairings(body)
		answered(t, reply, 8192)
		got := a.Pairings()
		if err := checkPairings(got); err != nil {
			t.Fatal(err)
		}
		if conn.Authorised() == (len(gone) > 0) {
			t.Fatalf("authorised %v, gone %v", conn.Authorised(), gone)
		}
		a.put(before)
	})
}
