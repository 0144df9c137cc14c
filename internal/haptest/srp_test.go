package haptest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"testing"
)

// The vectors are HAP-python 5.0.0's own: salt 00 to 0f, code 518-08-582, secrets SHA-256 of "a" or "b" with the number
// behind it. a and b are the SHA-256 of what is sent.
var srpVectors = []struct {
	name                     string
	number                   int
	a, b, key, proof, theirs string
}{
	{
		name: "no leading zero", number: 0,
		a:      "9db19998a41973dc3d0746bb0e81880b7b1e09c9753cce6c4cbf270315adba84",
		b:      "7c7ca2389919f263ace0ffd8fd2132af4365f1695d568dd0c0d15a703ab508a0",
		key:    "0a8e562da4959d8c14a120f891fbb9381ede9d6db97684d95234003aa32a7565638ae1cc04fe7d4e6cd8950b09de5395b21419d9217cef5376915bd0a477a1ce",
		proof:  "c0b88f889a800696734fa2bb5f50db05821ee3bacfd33ba397b4edbc0e06c33d69a8e13e21917d5f69758508c759df3839a51ed5ef428dc9fc36005138ab2619",
		theirs: "fbc35c8d0d5d30a481c352e954fdbb19e9a9157facf2549b3ca122beba87c3bfbb20e8a192568dd49af3d4db479d890a942af1097778102e5a532e9683618952",
	},
	{
		name: "A begins with a zero", number: 85,
		a:      "4b865454353635ad252265400b14f141bb755b9876c1bc3e728fa16325c922fa",
		b:      "ef92ba972b4dfa568fe473a42bb3315e142fee99063ed65357b1a6912957cfca",
		key:    "fe292af2f4a8d4d317a56496dd0fa1d0e1afa1835c4ce232f28d797f5c86f6e348507ac0ff947382fbb634139817d239d1a4118e10d0f6d409d58c25dddc465d",
		proof:  "6261750ccbe48055abe53e13e2fb0e205ec19b51c320b502242d8287d65534345eb51912f6991d336434a8940f852299a8583acac2a7c60c5b31207810f44698",
		theirs: "189ea6fc28e5d50e9447d5a067396e7d9d58aa6053a67e3251fb1c77ae12aee9a97c8d3c40f5bbd7ee62986542967bab603532824093759844d7518b9ebe96c7",
	},
	{
		name: "B begins with a zero", number: 343,
		a:      "1789cb27d2b6a35174e895e175d1961d6f175061cf7470f491d049dc818522e3",
		b:      "59129fe87b5c9d6bd90315fbc4893006abdd14eb8ba92357bfbe86bf7d293d98",
		key:    "c1c84b44f911fbf95345ce4554096de9cb1d4a9b46fbccbfeda5d267104d999f3e49ae0579da1c10e9919d41b244f884656bf6aaee98f2bf3113c27790d4d933",
		proof:  "761a01baefc1293d441fe8165057a00daf3cee5cc9b93e05492063cc3e44a3a8a4b85b6be3e039a0fc9f4f19703dbacd26c0b7b0459c98ef26234455b640d411",
		theirs: "c3be88c5a2101ed84b1c19bb7f9b86d82e7c727d92c86f95662f1546534d5cf6aba2cf3ab86d49232cc19c6de921190060f785ca6e322f865256a12cea07cce2",
	},
	{
		name: "S begins with a zero", number: 840,
		a:      "976337a72b3ebadf11305d0fcfedc3277b4e6579a551ba6a94b66aab0f4c31ce",
		b:      "55559052458a4cfc380e3ab4fbe33a7589b789de142b46ceee95b2e11d2063fa",
		key:    "6f2fefc5dd1498815d0b559a03d709e1a2ef0b4aa5f2c7770164edb298a9d2fecf81fa3672fd72b3725910091e1e9b9a150629f23426c462ef57b2ccf5934bd5",
		proof:  "7089c35e206af2e782fc94f89973e15fb0459e8f98a0ac5da2070e256ff956161e55c7084d059273a772754c66956c37cb41ab1857c2c5ce2f859790433668af",
		theirs: "1876f4e36ebc17b2c6acb5beb111f572deace9bb0e3edfccc40e1ed5212a5b0abe9b21bc78652132ee70415f8f77d9b4ffffa4ce0d70737a1ded13395edaff2e",
	},
}

const vectorCode = "518-08-582"

// publicB is the accessory's public key, B = k*v + g^b.
func publicB(s *srp, salt, secret []byte) *big.Int {
	x := number(digest(salt, digest([]byte(userName+":"+vectorCode))))
	v := new(big.Int).Exp(s.g, x, s.n)
	b := v.Mul(v, number(digest(padded(s.n), padded(s.g))))
	return b.Add(b, new(big.Int).Exp(s.g, number(secret), s.n)).Mod(b, s.n)
}

func vectorSecret(side string, number int) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%s%d", side, number))
	return h[:]
}

func TestSRPVectors(t *testing.T) {
	salt := make([]byte, 16)
	for i := range salt {
		salt[i] = byte(i)
	}
	hash := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	for _, tt := range srpVectors {
		t.Run(tt.name, func(t *testing.T) {
			s := newSRP(vectorSecret("a", tt.number), false)
			b := publicB(s, salt, vectorSecret("b", tt.number))
			if hash(s.sentA) != tt.a || hash(b.Bytes()) != tt.b {
				t.Fatalf("public keys: %s, %s", hash(s.sentA), hash(b.Bytes()))
			}
			if err := s.answer(salt, b.Bytes(), vectorCode); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(s.key); got != tt.key {
				t.Errorf("K = %s, want %s", got, tt.key)
			}
			if got := hex.EncodeToString(s.proof); got != tt.proof {
				t.Errorf("M1 = %s, want %s", got, tt.proof)
			}
			theirs, err := hex.DecodeString(tt.theirs)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.check(theirs); err != nil {
				t.Error(err)
			}
			// The ADK hashes A with its leading zeros here.
			if err := s.check(digest(padded(number(s.sentA)), s.proof, s.key)); err != nil {
				t.Error(err)
			}
			theirs[63] ^= 1
			if err := s.check(theirs); !errors.Is(err, errProof) {
				t.Errorf("a wrong proof: %v", err)
			}
			full := newSRP(vectorSecret("a", tt.number), true)
			if err := full.answer(salt, padded(b), vectorCode); err != nil {
				t.Fatal(err)
			}
			if same := bytes.Equal(full.proof, s.proof); same != (tt.number == 0) {
				t.Errorf("with leading zeros kept the proof is the same: %t", same)
			}
		})
	}
}

func TestSRPRefusesKeys(t *testing.T) {
	s := newSRP(vectorSecret("a", 0), false)
	for name, b := range map[string][]byte{
		"empty": nil, "zero": make([]byte, groupSize), "N": padded(s.n), "too long": make([]byte, groupSize+1),
	} {
		if err := s.answer(make([]byte, 16), b, vectorCode); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
