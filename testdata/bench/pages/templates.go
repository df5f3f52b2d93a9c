package pages

import "strings"

// template is a record's JSON in pieces: text, then the name of what follows it.
type template []part

type part struct{ text, name string }

// parse takes a record apart at its names, which stand as <name>.
func parse(s string) template {
	var t template
	s = strings.ReplaceAll(s, "\n", "")
	for {
		text, rest, ok := strings.Cut(s, "<")
		name, after, _ := strings.Cut(rest, ">")
		t = append(t, part{text, name})
		if !ok {
			return t
		}
		s = after
	}
}

const common = `{"CreationTime":"<time>","Id":"<id>","OrganizationId":"<tenant>","UserId":"<mail>","UserKey":"<puid>","UserType":0,"Version":1,"ResultStatus":"Succeeded",
"ClientIP":"<ip>",`

const signIn = common + `"Operation":"UserLoggedIn","RecordType":15,"Workload":"AzureActiveDirectory","AzureActiveDirectoryEventType":1,"ApplicationId":"<app>",
"Actor":[{"ID":"<object>","Type":0},{"ID":"<mail>","Type":5}],"ActorContextId":"<tenant>","ActorIpAddress":"<ip>","InterSystemsId":"<guid>","IntraSystemId":"<guid>",
"Target":[{"ID":"<app>","Type":0}],"TargetContextId":"<tenant>","SupportTicketId":"","ErrorNumber":"0","ModifiedProperties":[],
"ExtendedProperties":[{"Name":"ResultStatusDetail","Value":"Success"},{"Name":"UserAgent","Value":"<agent>"},{"Name":"RequestType","Value":"OAuth2:Authorize"}],
"DeviceProperties":[{"Name":"OS","Value":"Windows 10"},{"Name":"BrowserType","Value":"Edge"},{"Name":"SessionId","Value":"<guid>"}]}`

const mailAccess = common + `"Operation":"MailItemsAccessed","RecordType":50,"Workload":"Exchange","MailboxGuid":"<object>","MailboxOwnerUPN":"<mail>","LogonType":0,
"InternalLogonType":0,"ExternalAccess":false,"ClientInfoString":"Client=REST;;<agent>","ClientAppId":"<app>","SessionId":"<guid>","OriginatingServer":"EX01 (15.20.4200.000)\r\n",
"OperationProperties":[{"Name":"MailAccessType","Value":"Bind"},{"Name":"IsThrottled","Value":"False"}],
"Folders":[{"Id":"<box>AAAAAAEMAAA=","Path":"\\Inbox","FolderItems":[<items>]}]}`

const mailItem = `{"Id":"<box>AAD<short>AAA=","InternetMessageId":"\u003c<short><short>@ex01.fabrikam.example\u003e","Subject":"<subject>","SizeInBytes":<number>}`

const file = common + `"Operation":"<done>","RecordType":6,"Workload":"SharePoint","EventSource":"SharePoint","ItemType":"File","SiteUrl":"<site>/","SourceRelativeUrl":"Shared Documents",
"SourceFileName":"<file>","SourceFileExtension":"docx","ObjectId":"<site>/Shared Documents/<file>","UserAgent":"<agent>","CorrelationId":"<guid>","ListItemUniqueId":"<guid>",
"ListId":"<app>","WebId":"<object>","ApplicationDisplayName":"Office","GeoLocation":"EUR","IsManagedDevice":false,"HighPriorityMediaProcessing":false,
"AppAccessContext":{"AADSessionId":"<guid>","CorrelationId":"<guid>","UniqueTokenId":"<short><short>"}}`

const rule = common + `"Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange","ExternalAccess":false,"AppId":"","ObjectId":"fabrikam.example/Hosted/<object>\\<subject>",
"OrganizationName":"fabrikam.example","OriginatingServer":"EX01 (15.20.4200.012)","SessionId":"<guid>",
"Parameters":[{"Name":"Name","Value":"<subject>"},{"Name":"MoveToFolder","Value":"RSS Feeds"},{"Name":"StopProcessingRules","Value":"True"}]}`

var words = [...]string{"account", "annex", "appeal", "balance", "brief", "budget", "claim", "clause", "closing", "counsel", "court", "credit", "deed", "delivery",
	"deposit", "draft", "escrow", "estate", "exhibit", "export", "filing", "final", "forecast", "grant", "hearing", "import", "interim", "invoice", "issue", "lease",
	"ledger", "letter", "licence", "lien", "memo", "merger", "minutes", "motion", "notice", "offer", "option", "order", "patent", "pension", "permit", "plan", "policy",
	"quarter", "receipt", "record", "refund", "report", "review", "ruling", "schedule", "share", "status", "tender", "title", "transfer", "treaty", "trust", "update", "waiver"}
