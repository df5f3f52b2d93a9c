package trust

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
)

// checkPoint refuses 32 bytes that are no sound Ed25519 public key (RFC 8032,
// 5.1.3): a y of p or more, one of the eight points of low order in any spelling,
// a y for which the curve has no x. It works on public data alone and takes its
// time from big integers; keys are parsed once and not for each signature.
func checkPoint(pub [ed25519.PublicKeySize]byte) error {
	pub[31] &= 0x7f // the sign of x; without it, y
	y := new(big.Int).SetBytes(reversed(pub[:]))
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	p.Sub(p, big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return fmt.Errorf("%w: y is not below the field's prime", ErrWeakKey)
	}
	if isLowOrderY(hex.EncodeToString(pub[:])) {
		return fmt.Errorf("%w: point of low order", ErrWeakKey)
	}
	if !onCurve(y, p) {
		return fmt.Errorf("%w: not a point of the curve", ErrWeakKey)
	}
	return nil
}

// isLowOrderY reports whether y, as 32 bytes little-endian in hexadecimal, is
// that of a point of order 1, 2, 4 or 8. Both x of each y are of the same order.
func isLowOrderY(y string) bool {
	switch y {
	case "0100000000000000000000000000000000000000000000000000000000000000", // 1: order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // -1: order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // 0: order 4
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": // order 8
		return true
	}
	return false
}

// onCurve reports whether some x fits y: -x² + y² = 1 + d·x²·y² has a solution
// exactly when (y²-1)·(d·y²+1) is a square, as d·y²+1 is never zero.
func onCurve(y, p *big.Int) bool {
	one := big.NewInt(1)
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665)).Mod(d, p)
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, one)
	v := new(big.Int).Mul(d, y2)
	v.Add(v, one)
	u.Mul(u, v).Mod(u, p)
	return big.Jacobi(u, p) >= 0
}

// reversed returns a copy of b, last byte first.
func reversed(b []byte) []byte {
	c := slices.Clone(b)
	slices.Reverse(c)
	return c
}
