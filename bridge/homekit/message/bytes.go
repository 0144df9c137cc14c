package message

// set is a set of bytes.
type set [256]bool

func newSet(chars string) (s set) {
	for i := range len(chars) {
		s[chars[i]] = true
	}
	return s
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var (
	// tokenBytes may be in the name of a method or of a field: RFC 9110, 5.6.2.
	tokenBytes = newSet(alphanumeric + "!#$%&'*+-.^_`|~")
	// targetBytes may be in a path or a query, beside the percent sign: RFC 3986, 3.3 and 3.4.
	targetBytes = newSet(alphanumeric + "-._~!$&'()*+,;=:@/?")
)

func isToken(text []byte) bool {
	for _, c := range text {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(text) > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isName reports whether text is want, which is in small letters, in whatever letters.
func isName(text []byte, want string) bool {
	if len(text) != len(want) {
		return false
	}
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
