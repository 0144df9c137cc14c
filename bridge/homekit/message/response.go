package message

import (
	"net/http"
	"strconv"
)

// StatusAuthorizationRequired is HomeKit's own: the connection is not verified.
const StatusAuthorizationRequired = 470

// Types of bodies.
const (
	TypeJSON = "application/hap+json"
	TypeTLV8 = "application/pairing+tlv8"
)

// reason gives the phrase of a status. It is never empty: there are controllers that refuse a line without one.
func reason(status int) string {
	if status == StatusAuthorizationRequired {
		return "Connection Authorization Required"
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Status"
}

// AppendHead appends what comes before the body of a response: status 200..999, the type of the body, "" for none, and
// its length in bytes. A status that is no such number is a mistake of ours: it becomes 500. A response of status 204 has
// no body, and its head says nothing of one (RFC 9110, 8.6).
func AppendHead(dst []byte, status int, contentType string, length int) []byte {
	if status < 200 || status > 999 {
		status = http.StatusInternalServerError
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason(status)...)
	dst = append(dst, "\r\n"...)
	if status == http.StatusNoContent {
		return append(dst, "\r\n"...)
	}
	return appendBodyFields(dst, contentType, length)
}

// AppendResponse appends a whole response. The body of a 204 is left out.
func AppendResponse(dst []byte, status int, contentType string, body []byte) []byte {
	dst = AppendHead(dst, status, contentType, len(body))
	if status == http.StatusNoContent {
		return dst
	}
	return append(dst, body...)
}

// AppendEventHead appends what comes before the body of an event message, whose body is JSON of length bytes.
func AppendEventHead(dst []byte, length int) []byte {
	dst = append(dst, "EVENT/1.0 200 OK\r\n"...)
	return appendBodyFields(dst, TypeJSON, length)
}

// AppendEvent appends a whole event message (HAP specification, clause 6.8).
func AppendEvent(dst, body []byte) []byte { return append(AppendEventHead(dst, len(body)), body...) }

func appendBodyFields(dst []byte, contentType string, length int) []byte {
	if contentType != "" {
		dst = append(dst, "Content-Type: "...)
		dst = append(dst, contentType...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	return append(dst, "\r\n\r\n"...)
}
