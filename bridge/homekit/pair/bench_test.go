package pair

import "testing"

// Pair-setup with both sides, as a person waits for it: the offer is made before.
func BenchmarkSetup(b *testing.B) {
	a := newAccessory(b)
	phone := newController(b, 1)
	for b.Loop() {
		b.StopTimer()
		a.put(nil)
		a.prepare()
		conn := a.Conn("")
		b.StartTimer()
		phone.pair(conn, 0)
	}
}

// The accessory's part of it, and what is computed beforehand.
func BenchmarkSetupAccessory(b *testing.B) {
	a := newAccessory(b)
	phone := newController(b, 1)
	for b.Loop() {
		b.StopTimer()
		a.put(nil)
		a.prepare()
		conn := a.Conn("")
		b.StartTimer()
		m2 := conn.Setup(0, phone.m1())
		b.StopTimer()
		s, third := phone.m3(m2)
		b.StartTimer()
		m4 := conn.Setup(0, third)
		b.StopTimer()
		fifth := s.m5(m4)
		b.StartTimer()
		s.done(conn.Setup(0, fifth))
	}
}

func BenchmarkPrepare(b *testing.B) {
	a := newAccessory(b)
	for b.Loop() {
		a.ready = nil
		a.prepare()
	}
}

func BenchmarkVerify(b *testing.B) {
	a, admin, _ := owned(b)
	for b.Loop() {
		admin.verify(a.Conn(""))
	}
}

func BenchmarkVerifyAccessory(b *testing.B) {
	a, admin, _ := owned(b)
	for b.Loop() {
		conn := a.Conn("")
		b.StopTimer()
		h := admin.hello()
		b.StartTimer()
		m2, _ := conn.Verify(h.m1)
		b.StopTimer()
		third := h.m3(m2)
		b.StartTimer()
		if _, s := conn.Verify(third); s == nil {
			b.Fatal("no session")
		}
	}
}
