package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// byteCount is a flag for a number of bytes above 0: plain, or in K, M, G or T, which are powers of 1,024 and may be written KiB and so on.
type byteCount int64

// String is the value in bytes; empty if none was given.
func (n *byteCount) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}

// Type is what pflag calls the value.
func (*byteCount) Type() string { return "SIZE" }

// Set reads a value.
func (n *byteCount) Set(s string) error {
	digits, shift := s, 0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if d, ok := strings.CutSuffix(strings.TrimSuffix(s, "iB"), unit); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || v <= 0 || v > math.MaxInt64>>shift || digits != strconv.FormatInt(v, 10) {
		return errors.New("is no number of bytes, such as 1000000, 500M or 20G")
	}
	*n = byteCount(v << shift)
	return nil
}
