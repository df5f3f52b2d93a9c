package extract

// messages normalises the details of messages: each answer is one object. Its
// names are set out in docs/records.md.
type messages struct{}

func (messages) source() string { return "outlook-messages" }

func (messages) shape() shape { return shape{lines: true} }

func (messages) record(d *draft) {
	d.assign(d.members, messageField)
	d.columns[colItemID] = d.columns[colID]
	d.fill(colMailbox, d.page.User)
	d.fill(colUser, d.page.User)
	d.noteError()
}

// messageField maps the native names of a message, those of v1.0 too.
func messageField(name []byte) (column, int) {
	switch string(name) {
	case "Id":
		return colID, 1
	case "ReceivedDateTime":
		return colTime, 1
	case "DateTimeReceived":
		return colTime, 2
	case "@odata.type":
		return colType, 1
	case "Subject":
		return colSubject, 1
	case "InternetMessageId":
		return colMessageID, 1
	}
	return colNone, 0
}
