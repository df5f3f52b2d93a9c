package extract

import "github.com/exhibit-dfir/exhibit/verify/jsonspan"

// activities normalises the answers of the Outlook Activities API. Its shapes
// and names are set out in docs/records.md.
type activities struct{}

func (activities) source() string { return "outlook-activities" }

func (activities) shape() shape { return shape{} }

func (activities) record(d *draft) {
	d.assign(d.members, activityField)
	d.fill(colMailbox, d.page.User)
	d.properties()
	if d.empty(colUser) {
		d.fill(colUser, d.page.User)
	}
	d.noteError()
}

// activityField maps the native names of an activity.
func activityField(name []byte) (column, int) {
	switch string(name) {
	case "Id":
		return colID, 1
	case "TimeStamp":
		return colTime, 1
	case "ActivityIdType":
		return colType, 1
	case "AppIdType":
		return colClientApp, 1
	case "ClientSessionId":
		return colSessionID, 1
	case "ActivityItemId":
		return colItemID, 1
	}
	return colNone, 0
}

// activityProperty maps the names of an activity's custom properties.
func activityProperty(name []byte) (column, int) {
	switch string(name) {
	case "ClientIP":
		return colClientIP, 1
	case "IPAddress":
		return colClientIP, 2
	case "UserAgent":
		return colUserAgent, 1
	case "Browser":
		return colUserAgent, 2
	case "Subject":
		return colSubject, 1
	case "InternetMessageId":
		return colMessageID, 1
	}
	return colNone, 0
}

// logonProperty also maps the user, whom only the logon types name.
func logonProperty(name []byte) (column, int) {
	if string(name) == "UserName" {
		return colUser, 1
	}
	return activityProperty(name)
}

// properties maps the custom properties and moves them into details by name.
// A list of another form stays in details as it is, with a flag; what is
// regular in it is mapped all the same.
func (d *draft) properties() {
	list := d.find("CustomProperties")
	if list == nil {
		return
	}
	props, regular := d.scan.pairs(d.extra[:0], int(list.value.from))
	target := activityProperty
	kind := d.columns[colType]
	switch string(d.stage.texts[kind.from:kind.to]) {
	case "ServerLogon", "Logon":
		target = logonProperty
	}
	d.assign(props, target)
	d.extra = props
	if !regular {
		d.scan.flags |= CustomPropertiesIrregular
		d.extra = props[:0]
		return
	}
	for i := range props {
		props[i].taken = false
	}
	list.taken = true
}

// find returns the first member of the native record with that name.
func (d *draft) find(name string) *member {
	for i, m := range d.members {
		if string(d.scan.name(m)) == name {
			return &d.members[i]
		}
	}
	return nil
}

// noteError flags an error object in the place of a record.
func (d *draft) noteError() {
	if d.find("error") != nil {
		d.scan.flags |= ErrorObject
	}
}

// pairs reads an array of {"Name": string, "Value": any} at i as members and
// appends them to ms. regular is false if anything in it has another form.
func (s *scanner) pairs(ms []member, i int) (_ []member, regular bool) {
	if s.raw[i] != '[' {
		return ms, false
	}
	regular = true
	for from := range jsonspan.Elements(s.raw, i) {
		m, ok := s.pair(from)
		if !ok {
			regular = false
			continue
		}
		s.noteName(m.name)
		ms = append(ms, m)
	}
	return ms, regular
}

// pair reads the object at i, if it is one.
func (s *scanner) pair(i int) (m member, ok bool) {
	members := 0
	for f := range jsonspan.Members(s.raw, i) {
		members++
		name, value := span{uint32(f.Name), uint32(f.NameEnd)}, span{uint32(f.Value), uint32(f.ValueEnd)}
		switch string(s.name(member{name: name})) {
		case "Name":
			m.name = value
		case "Value":
			m.value = value
		}
	}
	return m, members == 2 && m.name.to > 0 && m.value.to > 0 && s.raw[m.name.from] == '"'
}
