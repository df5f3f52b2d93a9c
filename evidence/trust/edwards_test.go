package trust

import (
	"crypto/sha512"
	"math/big"
	"slices"
)

// The curve of RFC 8032, 5.1, in affine big integers: slow, and independent of
// both the code under test and crypto/ed25519.

type point struct{ x, y *big.Int }

type curve struct{ p, d, l *big.Int }

func newCurve() curve {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665)).Mod(d, p)
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
	return curve{p, d, l}
}

func (c curve) mul(a, b *big.Int) *big.Int {
	r := new(big.Int).Mul(a, b)
	return r.Mod(r, c.p)
}

// at returns a point with this y, if the curve has one.
func (c curve) at(y *big.Int) (point, bool) {
	y2 := c.mul(y, y)
	u := new(big.Int).Sub(y2, big.NewInt(1))
	v := new(big.Int).Add(c.mul(c.d, y2), big.NewInt(1))
	x2 := c.mul(u, new(big.Int).ModInverse(v.Mod(v, c.p), c.p))
	x := new(big.Int).ModSqrt(x2, c.p)
	return point{x, y}, x != nil
}

func (c curve) add(a, b point) point {
	xy, yx := c.mul(a.x, b.y), c.mul(a.y, b.x)
	yy, xx := c.mul(a.y, b.y), c.mul(a.x, b.x)
	t := c.mul(c.d, c.mul(xx, yy))
	xd := new(big.Int).Add(big.NewInt(1), t)
	yd := new(big.Int).Sub(big.NewInt(1), t)
	xn := new(big.Int).Add(xy, yx)
	yn := new(big.Int).Add(yy, xx)
	return point{
		c.mul(xn, new(big.Int).ModInverse(xd.Mod(xd, c.p), c.p)),
		c.mul(yn, new(big.Int).ModInverse(yd.Mod(yd, c.p), c.p)),
	}
}

func (c curve) times(n *big.Int, a point) point {
	r := point{big.NewInt(0), big.NewInt(1)}
	for i := n.BitLen() - 1; i >= 0; i-- {
		r = c.add(r, r)
		if n.Bit(i) == 1 {
			r = c.add(r, a)
		}
	}
	return r
}

// base returns the generator: y = 4/5, x even.
func (c curve) base() point {
	y := c.mul(big.NewInt(4), new(big.Int).ModInverse(big.NewInt(5), c.p))
	b, _ := c.at(y)
	if b.x.Bit(0) == 1 {
		b.x = new(big.Int).Sub(c.p, b.x)
	}
	return b
}

// encode writes y and the sign of x in 32 bytes; y may be p or more.
func encode(y *big.Int, sign uint) (b [32]byte) {
	y.FillBytes(b[:])
	slices.Reverse(b[:])
	b[31] |= byte(sign << 7)
	return b
}

func (c curve) encodePoint(a point) [32]byte { return encode(a.y, a.x.Bit(0)) }

// lowOrder returns the eight points of the torsion group, as multiples of one
// point of order 8, which L times some point of the curve is.
func (c curve) lowOrder() []point {
	for y := int64(2); ; y++ {
		a, ok := c.at(big.NewInt(y))
		if !ok {
			continue
		}
		g := c.times(c.l, a)
		if c.times(big.NewInt(4), g).y.Cmp(big.NewInt(1)) == 0 {
			continue // its order is less than 8
		}
		var all []point
		for i := range int64(8) {
			all = append(all, c.times(big.NewInt(i), g))
		}
		return all
	}
}

// challenge is k of RFC 8032, 5.1.7, reduced modulo L.
func (c curve) challenge(r, a [32]byte, msg []byte) *big.Int {
	h := sha512.New()
	h.Write(r[:])
	h.Write(a[:])
	h.Write(msg)
	sum := h.Sum(nil)
	slices.Reverse(sum)
	k := new(big.Int).SetBytes(sum)
	return k.Mod(k, c.l)
}

func scalar(s *big.Int) []byte {
	b := make([]byte, 32)
	s.FillBytes(b)
	slices.Reverse(b)
	return b
}

// secretScalar is a of RFC 8032, 5.1.5.
func secretScalar(seed []byte) *big.Int {
	h := sha512.Sum512(seed)
	h[0] &= 0xf8
	h[31] = h[31]&0x7f | 0x40
	b := slices.Clone(h[:32])
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}
