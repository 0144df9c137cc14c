package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// MQTT 3.1.1 (OASIS, 29 October 2014), the part that tells whether a broker takes us: CONNECT, CONNACK, DISCONNECT.

// Return codes of a CONNACK, clause 3.2.2.3.
const (
	connAccepted    = 0
	connVersion     = 1
	connIdentifier  = 2
	connUnavailable = 3
	connCredentials = 4
	connDenied      = 5
)

const (
	typeConnect    = 0x10
	typeConnack    = 0x20
	typeDisconnect = 0xE0
	flagClean      = 0x02 // clause 3.1.2.4: the broker keeps nothing of us
	flagPassword   = 0x40
	flagUser       = 0x80
	keepAlive      = 10 // seconds
	// maxField bounds a client id, user or password, clause 1.5.3, in bytes.
	maxField = 1<<16 - 1
)

var (
	errShort = errors.New("the answer is cut short")
	errNoMQ  = errors.New("the answer is not MQTT 3.1.1")
)

// appendConnect appends a CONNECT packet (clause 3.1). An empty user means that none is named.
func appendConnect(b []byte, id, user, password string) ([]byte, error) {
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, flagClean, 0, keepAlive}
	fields := []string{id}
	if user != "" {
		body[7] |= flagUser | flagPassword
		fields = append(fields, user, password)
	}
	for _, s := range fields {
		if len(s) > maxField {
			return nil, fmt.Errorf("a field of %d bytes; at most %d", len(s), maxField)
		}
		body = binary.BigEndian.AppendUint16(body, uint16(len(s)))
		body = append(body, s...)
	}
	b = append(b, typeConnect)
	for n := len(body); ; {
		digit := byte(n % 128) // clause 2.2.3
		if n /= 128; n > 0 {
			b = append(b, digit|0x80)
			continue
		}
		b = append(b, digit)
		break
	}
	return append(b, body...), nil
}

// parseConnack reads a CONNACK packet (clause 3.2) from the beginning of b. The error is errShort where more bytes may
// make it one.
func parseConnack(b []byte) (code byte, n int, err error) {
	want := [...]byte{typeConnack, 2}
	for i, w := range want {
		if len(b) <= i {
			return 0, 0, errShort
		}
		if b[i] != w {
			return 0, 0, errNoMQ
		}
	}
	if len(b) < 4 {
		return 0, 0, errShort
	}
	if b[2]&^1 != 0 || b[3] > connDenied {
		return 0, 0, errNoMQ
	}
	return b[3], 4, nil
}

// greet connects as a client with this id and takes its leave. It gives the broker's return code.
func greet(c net.Conn, id, user, password string) (code byte, err error) {
	hello, err := appendConnect(nil, id, user, password)
	if err != nil {
		return 0, err
	}
	if _, err := c.Write(hello); err != nil {
		return 0, fmt.Errorf("say CONNECT: %w", err)
	}
	var answer [4]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return 0, fmt.Errorf("wait for CONNACK: %w", err)
	}
	code, _, err = parseConnack(answer[:])
	if err == nil && code == connAccepted {
		_, err = c.Write([]byte{typeDisconnect, 0})
	}
	return code, err
}
