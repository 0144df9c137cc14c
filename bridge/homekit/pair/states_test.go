package pair

import (
	"bytes"
	"fmt"
	"testing"

	"twinbridge/bridge/homekit/tlv8"
)

// withState gives a message with its State replaced, or without one (s < 0).
func withState(msg []byte, s int) []byte {
	items, err := tlv8.Parse(msg)
	if err != nil {
		panic(err)
	}
	var b []byte
	if s >= 0 {
		b = tlv8.AppendByte(b, typeState, byte(s))
	}
	for _, i := range items {
		if i.Type != typeState {
			b = tlv8.Append(b, i.Type, i.Value)
		}
	}
	return b
}

// named is a message of the tables below.
type named struct {
	name string
	msg  []byte
	is   int // 1, 3 or 5: it is that message, whole and right; 0: something else
}

// mutations are messages that are not what they should be.
func mutations(whole []named) []named {
	out := []named{
		{"nothing", nil, 0},
		{"one byte", []byte{typeState}, 0},
		{"a separator", []byte{0xFF, 0}, 0},
		{"an error", refusal(3, errAuthentication), 0},
	}
	for _, w := range whole {
		for _, s := range []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 255} {
			if s != w.is {
				out = append(out, named{fmt.Sprintf("M%d as M%d", w.is, s), withState(w.msg, s), 0})
			}
		}
		long := tlv8.Append(withState(w.msg, -1), typeState, []byte{byte(w.is), 0})
		twice := tlv8.AppendByte(bytes.Clone(w.msg), typeState, byte(w.is))
		cut := w.msg[:len(w.msg)-1]
		out = append(out,
			named{fmt.Sprintf("M%d with two bytes of state", w.is), long, 0},
			named{fmt.Sprintf("M%d with two states", w.is), twice, 0},
			named{fmt.Sprintf("M%d cut", w.is), cut, 0},
			named{fmt.Sprintf("M%d too long", w.is), append(bytes.Clone(w.msg), make([]byte, tlv8.MaxMessage)...), 0})
	}
	return out
}

// The source of random bytes is the same for each accessory here, so the messages of one procedure fit all.
func setupMessages(t *testing.T) (phone *controller, whole []named) {
	a := newAccessory(t)
	conn := a.Conn("")
	phone = newController(t, 1)
	s, third := phone.m3(conn.Setup(0, phone.m1()))
	fifth := s.m5(conn.Setup(0, third))
	s.done(conn.Setup(0, fifth))
	return phone, []named{{"M1", phone.m1(), 1}, {"M3", third, 3}, {"M5", fifth, 5}}
}

// All states of pair-setup against all messages: only the legal ones proceed; all others are answered with an error of the
// right state, store nothing, and set the state back.
func TestSetupStates(t *testing.T) {
	phone, whole := setupMessages(t)
	messages := append(append([]named(nil), whole...), mutations(whole)...)
	states := []struct {
		name   string
		steps  int  // of the procedure that are done
		expect byte // the state of the message that is legal
		legal  map[int]byte
	}{
		// A first message is legal at any time: it begins again (setup.go).
		{"fresh", 0, 1, map[int]byte{1: 2}},
		{"after M2", 1, 3, map[int]byte{1: 2, 3: 4}},
		{"after M4", 2, 5, map[int]byte{1: 2, 5: 6}},
		{"after M6", 3, 1, nil},
		{"after a refusal", -1, 1, map[int]byte{1: 2}},
	}
	for _, st := range states {
		for _, msg := range messages {
			t.Run(st.name+"/"+msg.name, func(t *testing.T) {
				a := newAccessory(t)
				conn := a.Conn("")
				for i := range st.steps {
					phone.read(conn.Setup(0, whole[i].msg), byte(2*i+2))
				}
				if st.steps < 0 {
					phone.read(conn.Setup(0, whole[0].msg), 2)
					refused(t, conn.Setup(0, nil), 4, errUnknown)
				}
				saves, paired := a.disk.saves, a.Paired()
				answer := conn.Setup(0, msg.msg)
				m, ok := parse(answer)
				if !ok {
					t.Fatalf("answer % X", answer)
				}
				got, _ := m.byte(typeState)
				want, legal := st.legal[msg.is]
				if legal {
					if _, is := m[typeError]; is || got != want {
						t.Fatalf("answer % X, want M%d", answer, want)
					}
					if (want == 6) != (a.disk.saves > saves) || a.Paired() != (want == 6) {
						t.Fatalf("saved %d, paired %v", a.disk.saves-saves, a.Paired())
					}
					return
				}
				wantCode := errUnknown
				sent, _ := parse(msg.msg)
				if s, _ := sent.byte(typeState); s == 1 && st.steps == 3 {
					if _, ok := sent.byte(typeMethod); ok {
						wantCode = errUnavailable
					}
				}
				refused(t, answer, answerTo(sent, st.expect), wantCode)
				if a.disk.saves != saves || a.Paired() != paired || a.Failures() != 0 {
					t.Fatalf("stored something: %d saves, paired %v, %d failures", a.disk.saves-saves, a.Paired(), a.Failures())
				}
				// What would have been legal before is not any more.
				if st.expect > 1 {
					refused(t, conn.Setup(0, whole[st.expect/2].msg), st.expect+1, errUnknown)
				}
				if paired {
					return
				}
				// And all can begin anew.
				phone.read(conn.Setup(0, whole[0].msg), 2)
				if msg.msg == nil {
					phone.pair(conn, 0)
				}
			})
		}
	}
}

func TestVerifyStates(t *testing.T) {
	for _, state := range []string{"fresh", "after M2", "after M4", "after a refusal"} {
		// The third message depends on the key that the accessory draws, so each case makes its own.
		var count int
		for n := 0; n == 0 || n < count; n++ {
			a := newAccessory(t)
			phone := newController(t, 1)
			phone.pair(a.Conn(""), 0)
			phone.verify(a.Conn(""))
			conn := a.Conn("")
			h := phone.hello()
			m2, _ := conn.Verify(h.m1)
			third := h.m3(m2)
			whole := []named{{"M1", h.m1, 1}, {"M3", third, 3}}
			messages := append(append([]named(nil), whole...), mutations(whole)...)
			count = len(messages)
			expect := byte(3)
			switch state {
			case "fresh":
				conn, expect = a.Conn(""), 1
			case "after M4":
				m4, _ := conn.Verify(third)
				phone.read(m4, 4)
				expect = 1
			case "after a refusal":
				reply, _ := conn.Verify(nil)
				refused(t, reply, 4, errUnknown)
				expect = 1
			}
			msg := messages[n]
			saves, authorised := a.disk.saves, conn.Authorised()
			reply, s := conn.Verify(msg.msg)
			m, ok := parse(reply)
			if !ok {
				t.Fatalf("%s, %s: % X", state, msg.name, reply)
			}
			if msg.is == int(expect) && state != "after M4" {
				_, failed := m[typeError]
				if got, _ := m.byte(typeState); failed || got != expect+1 || (s != nil) != (expect == 3) || conn.Authorised() != (expect == 3) {
					t.Fatalf("%s, %s: % X, %v", state, msg.name, reply, s)
				}
				continue
			}
			sent, _ := parse(msg.msg)
			if s != nil || conn.Authorised() != authorised || a.disk.saves != saves {
				t.Fatalf("%s, %s: session %v, authorised %v", state, msg.name, s, conn.Authorised())
			}
			refused(t, reply, answerTo(sent, expect), errUnknown)
			if reply, s := conn.Verify(third); s != nil {
				t.Fatalf("%s, %s: M3 is taken afterwards: % X", state, msg.name, reply)
			}
			if state != "after M4" {
				phone.verify(conn)
			}
		}
	}
}

// succeeded checks that an answer about the table of pairings is no error.
func succeeded(t testing.TB, reply []byte) tlv8.Items {
	t.Helper()
	items, err := tlv8.Parse(reply)
	if err != nil || !bytes.HasPrefix(reply, answer(2)) || items.Count(typeError) != 0 {
		t.Fatalf("answer % X", reply)
	}
	return items
}

// Who may do what to the table of pairings: users against methods, and every message that is not one.
func TestPairingsMatrix(t *testing.T) {
	admin, user, guest := newController(t, 1), newController(t, 2), newController(t, 3)
	one := func(method byte) []byte {
		return tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, method)
	}
	legal := map[string][]byte{"add": addMsg(guest, 0), "remove": removeMsg(user.id), "list": listMsg()}
	messages := map[string][]byte{
		"nothing": nil, "half": {6}, "no method": tlv8.AppendByte(nil, typeState, 1),
		"two methods":         tlv8.AppendByte(listMsg(), typeMethod, methodListPairings),
		"two bytes of method": tlv8.Append(tlv8.AppendByte(nil, typeState, 1), typeMethod, []byte{5, 0}),
		"add nobody":          one(methodAddPairing), "remove nobody": one(methodRemovePairing),
	}
	for method := range 256 {
		if method < methodAddPairing || method > methodListPairings {
			messages[fmt.Sprintf("method %d", method)] = one(byte(method))
		}
	}
	for name, msg := range legal {
		for _, s := range []int{-1, 0, 2, 3, 4, 5, 6, 255} {
			messages[fmt.Sprintf("%s as M%d", name, s)] = withState(msg, s)
		}
	}
	for name, msg := range legal {
		messages[name] = msg
	}

	for _, who := range []string{"nobody", "after M2", "user", "removed", "demoted", "admin"} {
		t.Run(who, func(t *testing.T) {
			a := newAccessory(t)
			first := a.Conn("")
			admin.pair(first, 0)
			admin.verify(first)
			must := func(msg []byte) {
				t.Helper()
				reply, _ := first.Pairings(msg)
				admin.read(reply, 2)
			}
			must(addMsg(user, 0))
			conn := a.Conn("")
			switch who {
			case "after M2":
				h := user.hello()
				conn.Verify(h.m1)
			case "user":
				user.verify(conn)
			case "removed":
				must(addMsg(user, 1))
				user.verify(conn)
				must(removeMsg(user.id))
				must(addMsg(user, 1)) // with the same name and key, but the old session stays dead
			case "demoted":
				must(addMsg(user, 1))
				user.verify(conn)
				if reply, _ := conn.Pairings(listMsg()); len(reply) < 10 {
					t.Fatalf("% X", reply)
				}
				must(addMsg(user, 0))
			case "admin":
				conn = first
			}
			if got, want := conn.Authorised(), who == "user" || who == "demoted" || who == "admin"; got != want {
				t.Fatalf("authorised %v, want %v", got, want)
			}
			for name, msg := range messages {
				before, saves := a.Pairings(), a.disk.saves
				reply, gone := conn.Pairings(msg)
				if _, ok := legal[name]; ok && who == "admin" {
					succeeded(t, reply)
					if len(gone) > 1 || len(gone) == 1 && (name != "remove" || gone[0] != user.id) {
						t.Errorf("%s: gone %v", name, gone)
					}
					// Back to where it was.
					first.Pairings(removeMsg(guest.id))
					must(addMsg(user, 0))
					continue
				}
				want := errUnknown
				if who != "admin" {
					want = errAuthentication
				}
				refused(t, reply, 2, want)
				if len(gone) != 0 || a.disk.saves != saves || len(a.Pairings()) != len(before) {
					t.Errorf("%s: changed something", name)
				}
			}
		})
	}
}
