// Package simtenant is the simulated service: a tenant of the historic Outlook
// Activities API, over real HTTP and TLS, with a scripted mailbox compromise in
// it and with faults on demand. The live API is gone since July 2018; this is
// what the acquirer, the demonstration and the tests ask instead.
//
// Marks as in the reference on the API: [S] and [C] are known from articles and
// from the source of clients; [A] is our assumption and must never be presented
// as Microsoft's behaviour.
//
// # What it answers
//
//	GET /api/{v1.0|v2.0|beta}/{user}/Activities           a listing [S]
//	GET /api/{v1.0|v2.0|beta}/{user}/Messages/{id}        details [C], v1.0 with v1.0's names
//	GET /api/{v1.0|v2.0|beta}/{user}/Messages('{id}')     the same [S]
//	GET /pages/{set}/{n}?link={body|header}               the caller's own pages, n from 1
//	POST /tsa                                             timestamps, RFC 3161
//
// {user} is me or Users('{upn}'); an apostrophe in the UPN may stand raw, as
// the clients sent it [C], or doubled. UPNs compare without case, and me is
// [Owner] whoever asks [A]. Everything else is 404 with a JSON error; a
// method other than GET is 405.
//
// The checks, in this order [A]: Authorization (Bearer with a token of
// [Tenant.Token], or Basic with [Tenant.Basic]; else 401 with an empty body and
// x-ms-diagnostics), the mailbox ([Locked] is 403 ErrorAccessDenied, an unknown
// one 404), Prefer: exchange.behavior="ActivityAccess" for listings (else 400
// [S]), the query (else 400).
//
// A listing knows $filter, $orderby, $select, $top from 1 to 1000 and $skip in
// the language of evidence/odata. Without $top a page has 10 rows [A]; without
// $orderby the newest row comes first [A]; rows of one instant are in order of
// Id. CustomProperties can be selected but neither filtered nor ordered by [A].
// Id, @odata.id and @odata.etag come back although not selected [S], in the
// property order of the one real sample [S]. @odata.nextLink stands while rows
// remain: the options as they came, with "%24" and the next $skip at the end [A].
// With odata.metadata=none in Accept all @odata members except the link are
// left out, as OData says [A].
//
// Every answer has Date, request-id and, as known of the family of services,
// OData-Version, Server and X-BackEndHttpStatus [A]; client-request-id is echoed if
// return-client-request-id is true. Bodies go chunked [A], or with
// Content-Length if [Options] say so, and gzip-coded if Accept-Encoding allows.
//
// # Pages of the caller
//
// /pages serves [Options].Pages: byte for byte as given and with the link in a
// Link header (rel="next") for link=header, or with "@odata.nextLink" put in as
// the last member of the JSON object for link=body, which is the default.
// Authorization is not required, but one that is sent must be valid.
//
// # Faults
//
// A fault names the requests it strikes by ordinal: each request that reaches
// the tenant has one, from 1, whatever comes of it. [ParseFaults] reads a list
// joined by commas:
//
//	fault    = kind "@" place { ":" argument }
//	place    = N | N "-" M | N "+"       that one; from N to M; from N on
//
//	429@3-5:retry-after=2    status 400 to 599 with the JSON error that goes with it.
//	                         retry-after: whole seconds, also 0, negative or absurd;
//	                         date+N or date-N, an HTTP date N seconds from now; garbage;
//	                         none, which is the default. 401 comes as for a bad token.
//	disabled@20+             403, the API is disabled, as from July 2018 [S]
//	expire@9                 the token of this request is expired from now on: 401
//	                         until another is used; Basic is not touched
//	cut@5:100                the connection ends after 100 bytes of the response, counted
//	                         from its status line
//	reset@21                 the connection is reset before any answer
//	hang@22                  no answer until the client goes away
//	slow@8:250ms             the answer waits that long
//	arrive@11:3              three activities, newer than all, arrive before the answer
//	late@11:3                three arrive whose times lie among those that are there
//	early@11:3               three arrive that are older than all
//	vanish@12:3              the three newest activities vanish before the answer
//	loop@13:2                the next link leads back: 1 (the default) to this request's
//	                         URL, 2 to that of the request before, and so on; this URL
//	                         gives that link from now on
//	repeat@14                the rows of the last listing again instead of the page's own
//	empty200@17              no rows, and a next link to the page that should have come,
//	                         which again=17 sets apart from this one's URL
//	badjson@15               the body ends after two thirds of its JSON, well framed
//	errorrow@16              an error object among the rows
//
//	tsa-reject@1             a timestamp is refused: timeNotAvailable
//	tsa-busy@1               status 503 in place of a timestamp
//	tsa-hang@1               no timestamp until the client goes away
//	tsa-garbage@1            a page of HTML in place of a timestamp
//	tsa-huge@1               10 MiB in place of a timestamp
//	tsa-nonce@1              a timestamp with another nonce
//	tsa-imprint@1            a timestamp of something else
//	tsa-redirect@1           status 307 in place of a timestamp
//
// Queries for timestamps have ordinals of their own, and faults that begin with tsa- count and strike those alone.
//
// Several faults may strike one request; the first in the list that decides the
// status does. arrive, late, early, vanish, repeat, empty200 and errorrow concern listings of
// activities, loop also /pages, badjson every 200; elsewhere they do nothing.
//
// # Timestamps
//
// /tsa is a time-stamping authority with a root of its own, [Tenant.TSARoot], made anew for each tenant. Its clock is the tenant's. No Authorization is asked for.
//
// # Data
//
// The same [Options].Seed gives the same mailboxes, byte for byte. All addresses
// are of the documentation ranges, all names of the example domains. [Owner] has
// about 3,000 activities from 21 May to 10 June 2018: daily work, a lure on 28
// May, then an intruder who logs on, searches for "invoice" letter by letter,
// reads, forwards, impersonates and tidies up. [Apostrophe] has a small mailbox,
// [Quiet] an empty one. Some mail is hostile to whoever displays or exports it:
// formulas, terminal escapes, bidirectional overrides, markup.
package simtenant
