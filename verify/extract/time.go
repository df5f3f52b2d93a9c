package extract

// timeForm says how a native time is written.
type timeForm int

const (
	timeBad      timeForm = iota // not a time of the forms below
	timeExact                    // RFC 3339 with T and zone, in capitals
	timeSpelling                 // the same with t, z or a blank for T
	timeNoZone                   // without a zone
)

// formOf classifies a native time. The date must exist in the calendar; a
// 60th second is accepted, as RFC 3339 section 5.7 does.
func formOf(t []byte) timeForm {
	if len(t) < len("2006-01-02T15:04:05") || t[4] != '-' || t[7] != '-' || t[13] != ':' || t[16] != ':' {
		return timeBad
	}
	year, y := digits(t[:4])
	month, m := digits(t[5:7])
	day, d := digits(t[8:10])
	hour, h := digits(t[11:13])
	minute, n := digits(t[14:16])
	second, s := digits(t[17:19])
	if !(y && m && d && h && n && s) || hour > 23 || minute > 59 || second > 60 ||
		month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return timeBad
	}
	form := timeExact
	switch t[10] {
	case 'T':
	case 't', ' ':
		form = timeSpelling
	default:
		return timeBad
	}
	rest := t[19:]
	if len(rest) > 0 && rest[0] == '.' {
		i := 1
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 1 {
			return timeBad
		}
		rest = rest[i:]
	}
	return zoneForm(rest, form)
}

func zoneForm(zone []byte, form timeForm) timeForm {
	switch {
	case len(zone) == 0:
		return timeNoZone
	case string(zone) == "Z":
		return form
	case string(zone) == "z":
		return timeSpelling
	case len(zone) == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':':
		h, ok1 := digits(zone[1:3])
		m, ok2 := digits(zone[4:6])
		if ok1 && ok2 && h <= 23 && m <= 59 {
			return form
		}
	}
	return timeBad
}

// appendTime appends t in the form timeExact. A time without a zone is read
// as UTC. t must not be timeBad.
func appendTime(dst, t []byte, form timeForm) []byte {
	start := len(dst)
	dst = append(dst, t...)
	dst[start+10] = 'T'
	switch {
	case form == timeNoZone:
		dst = append(dst, 'Z')
	case dst[len(dst)-1] == 'z':
		dst[len(dst)-1] = 'Z'
	}
	return dst
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
