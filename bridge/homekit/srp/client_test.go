package srp

import "math/big"

// client is the controller's side, written from RFC 5054 and the rules of the package comment: it shares the hashes of
// the group with the server, whose bytes the vectors check, and no arithmetic.
type client struct {
	group          *group
	user, password string
	secret, public *big.Int
	x, v           *big.Int // of the salt that was seen last
	salt           string
}

func newClient(gr *group, user, password string, secret *big.Int) *client {
	return &client{group: gr, user: user, password: password, secret: secret, public: new(big.Int).Exp(gr.g, secret, gr.n)}
}

// premaster is S = (B - k g^x)^(a + u x).
func (c *client) premaster(salt, publicB []byte) *big.Int {
	gr := c.group
	if c.x == nil || c.salt != string(salt) {
		c.x, c.salt = gr.x(salt, c.user, c.password), string(salt)
		c.v = new(big.Int).Exp(gr.g, c.x, gr.n)
	}
	b := number(publicB)
	base := new(big.Int).Mul(gr.k, c.v)
	base.Sub(b, base).Mod(base, gr.n)
	e := new(big.Int).Mul(gr.u(c.public, b), c.x)
	return base.Exp(base, e.Add(e, c.secret), gr.n)
}

// answer gives what M3 carries, and what the client expects of the server afterwards.
func (c *client) answer(salt, publicB []byte) (a, m1, key, m2 []byte) {
	key, m1, m2 = c.group.proofs(c.user, salt, c.public, number(publicB), c.premaster(salt, publicB))
	return c.public.Bytes(), m1, key, m2
}
