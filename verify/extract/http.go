package extract

// generic normalises answers of any service: an array under "value", an array
// at the top, or JSON Lines. Every object is a record. Only fields whose
// meaning is the same wherever they appear are mapped; docs/records.md lists
// them.
type generic struct{}

func (generic) source() string { return "http" }

func (generic) shape() shape { return shape{array: true, lines: true} }

func (generic) record(d *draft) {
	d.assign(d.members, genericField)
	d.noteError()
}

// genericField maps names of the Office 365 Management Activity API, the
// unified audit log, Microsoft Graph and the Outlook services.
func genericField(name []byte) (column, int) {
	switch string(name) {
	case "Id":
		return colID, 1
	case "id":
		return colID, 2
	case "TimeStamp":
		return colTime, 1
	case "CreationTime":
		return colTime, 2
	case "createdDateTime":
		return colTime, 3
	case "activityDateTime":
		return colTime, 4
	case "TimeGenerated":
		return colTime, 5
	case "Timestamp":
		return colTime, 6
	case "ActivityIdType":
		return colType, 1
	case "Operation":
		return colType, 2
	case "operation":
		return colType, 3
	case "OperationName":
		return colType, 4
	case "operationName":
		return colType, 5
	case "activityDisplayName":
		return colType, 6
	case "UserId":
		return colUser, 1
	case "userPrincipalName":
		return colUser, 2
	case "UserPrincipalName":
		return colUser, 3
	case "MailboxOwnerUPN":
		return colMailbox, 1
	}
	return genericClient(name)
}

func genericClient(name []byte) (column, int) {
	switch string(name) {
	case "ClientIP":
		return colClientIP, 1
	case "ClientIPAddress":
		return colClientIP, 2
	case "ipAddress":
		return colClientIP, 3
	case "IPAddress":
		return colClientIP, 4
	case "AppIdType":
		return colClientApp, 1
	case "clientAppUsed":
		return colClientApp, 2
	case "UserAgent":
		return colUserAgent, 1
	case "userAgent":
		return colUserAgent, 2
	case "ClientSessionId":
		return colSessionID, 1
	case "SessionId":
		return colSessionID, 2
	case "sessionId":
		return colSessionID, 3
	case "ActivityItemId":
		return colItemID, 1
	case "Subject":
		return colSubject, 1
	case "subject":
		return colSubject, 2
	case "InternetMessageId":
		return colMessageID, 1
	case "internetMessageId":
		return colMessageID, 2
	}
	return colNone, 0
}
