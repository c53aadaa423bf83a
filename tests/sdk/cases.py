"""What posternstub is to do with plugins and scripts, good and bad."""

from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    script: str
    status: int = 0
    says: list = field(default_factory=list)
    plugins: dict = field(default_factory=dict)
    options: list = field(default_factory=list)
    files: dict = field(default_factory=dict)   # "@/" is where they are


def plugin(name, hooks, code):
    """The source of a plugin; hooks: "PST_ON_MAIL:on_mail ..."."""
    rows = "".join("\tPST_HOOK(%s, %s),\n" % tuple(h.split(":"))
                   for h in hooks.split())
    return ("#include <postern/filter.h>\n#include <postern/tls_policy.h>\n"
            "#include <stdlib.h>\n#include <string.h>\n" + code +
            "static const struct pst_hook hooks[] = {\n" + rows +
            "\tPST_END\n};\nPST_PLUGIN(" + name +
            ", .version = \"1\", .hooks = hooks);\n")


def verdict(name, says):
    return {name: plugin(name, "PST_ON_MAIL:on_mail", """
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	(void)ev;
	return %s;
}
""" % says)}


MAIL = "session 192.0.2.1\nmail a@us.example %s\n"


def faulty(name, says):
    """A plugin's fault is a temporary failure, 451 4.3.0."""
    return Case("a plugin that says %s is a temporary failure" % name,
                "plugin ./bad.so\n" + MAIL % "-> tempfail 451 4.3.0"
                + "expect log /bad/\n", plugins=verdict("bad", says))


CARELESS = plugin("careless", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
got(struct pst_event *ev, const struct pst_result *res)
{
	(void)ev;
	return res->count > 0 ? PST_REJECT : PST_CONTINUE;
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	return pst_dns(ev, "x.example", "A", got);
}
""")

TRUSTING = plugin("trusting", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	int *n = pst_data(ev, PST_SESSION, int);

	*n += 1;
	return PST_CONTINUE;
}
""")

TRUSTS = plugin("trusts", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
got(struct pst_event *ev, const struct pst_result *res)
{
	(void)ev;
	return res->count > 0 ? PST_REJECT : PST_CONTINUE;
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	return pst_lookup(ev, "bad", pst_get(ev, "sender.domain"), got);
}
""")

TICKS = plugin("ticks", "PST_ON_CONNECT:on_connect PST_ON_MAIL:on_mail "
               "PST_ON_DISCONNECT:on_gone", """
static enum pst_verdict
late(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	pst_count(ev, "late");
	return PST_CONTINUE;
}
static enum pst_verdict
on_connect(struct pst_event *ev)
{
	return pst_timer(ev, 5000, late);
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	int *n = pst_data(ev, PST_SESSION, int);

	if (n == NULL)
		return PST_TEMPFAIL;
	*n += 1;
	if (*n > 2)
		return pst_reject(ev, 550, "5.7.1", "%d in one session", *n);
	return PST_CONTINUE;
}
static enum pst_verdict
on_gone(struct pst_event *ev)
{
	pst_log(ev, PST_INFO, "gone: %s", pst_get(ev, "client.ip"));
	return PST_CONTINUE;
}
""")

SLEEPER = plugin("sleeper", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
never(struct pst_event *ev, const struct pst_result *res)
{
	(void)ev;
	(void)res;
	return PST_CONTINUE;
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	uint64_t id;

	return pst_park(ev, 0, &id, never);
}
""")

LEVELS = plugin("levels", "PST_TLS_POLICY_DECIDE:decide "
                "PST_TLS_POLICY_RCPT:rcpt", """
static enum pst_verdict
decide(struct pst_event *ev)
{
	struct pst_tls_hop *hop = ev->arg;

	if (hop->count > 0 && hop->mx[0].secure)
		hop->want = "required-verify match=mx";
	hop->source = "test";
	hop->ttl = 60;
	return PST_CONTINUE;
}
static enum pst_verdict
rcpt(struct pst_event *ev)
{
	struct pst_tls_rcpt *r = ev->arg;

	if (strcmp(r->domain, "bank.example") == 0)
		r->want = "required";
	return PST_CONTINUE;
}
""")

READER = plugin("reader", "PST_FILTER_BEGIN:begin PST_FILTER_CHUNK:chunk "
                "PST_FILTER_END:end", """
static enum pst_verdict
begin(struct pst_event *ev)
{
	return pst_data(ev, PST_MESSAGE, size_t) != NULL ? PST_CONTINUE :
	    PST_TEMPFAIL;
}
static enum pst_verdict
chunk(struct pst_event *ev)
{
	size_t *n = pst_data(ev, PST_MESSAGE, size_t);
	struct pst_chunk *c = ev->arg;

	if (n == NULL)
		return PST_TEMPFAIL;
	if (c->offset != *n)
		return pst_reject(ev, 550, "5.6.0", "a gap");
	*n += c->data.n;
	return PST_CONTINUE;
}
static enum pst_verdict
end(struct pst_event *ev)
{
	size_t *n = pst_data(ev, PST_MESSAGE, size_t);

	if (n == NULL)
		return PST_TEMPFAIL;
	if (*n > 1000)
		return pst_reject(ev, 552, "5.3.4", "too much");
	return PST_CONTINUE;
}
""")

BEYOND = plugin("beyond", "PST_ON_EOM:on_eom", """
static enum pst_verdict
on_eom(struct pst_event *ev)
{
	if (pst_set(ev, "message.hold", "2592001") == 0 ||
	    pst_set(ev, "rcpt.route", "192.0.2.25") == 0 ||
	    pst_set(ev, "rcpt.after", "first 2592001") == 0 ||
	    pst_set(ev, "message.quarantine", "") == 0)
		return PST_REJECT;
	return pst_set(ev, "rcpt.route", "smarthost") == 0 &&
	    pst_set(ev, "message.hold", "2592000") == 0 ? PST_CONTINUE :
	    PST_TEMPFAIL;
}
""")

NOTER = plugin("noter", "PST_ON_CONNECT:on_connect PST_ON_MAIL:on_mail "
               "PST_ON_DISCONNECT:on_gone", """
static enum pst_verdict
on_connect(struct pst_event *ev)
{
	return pst_set(ev, "note.who", "here") == 0 ? PST_CONTINUE :
	    PST_REJECT;
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	if (pst_get(ev, "note.once") != NULL)
		return PST_REJECT;
	return pst_set(ev, "note.once", pst_get(ev, "note.who")) == 0 ?
	    PST_CONTINUE : PST_TEMPFAIL;
}
static enum pst_verdict
on_gone(struct pst_event *ev)
{
	if (pst_set(ev, "note.who", "gone") != 0)
		pst_log(ev, PST_INFO, "was %s", pst_get(ev, "note.who"));
	return PST_CONTINUE;
}
""")

HOLDER = plugin("holder", "PST_ON_EOM:on_eom PST_ON_BRANCH:on_branch "
                "PST_ON_DELIVER:on_deliver PST_ON_BOUNCED:on_bounced", """
static enum pst_verdict
on_eom(struct pst_event *ev)
{
	if (pst_set(ev, "note.seen", "yes") != 0 ||
	    pst_set(ev, "message.hold", "60") != 0)
		return PST_TEMPFAIL;
	if (pst_header(ev, "X-Virus") != NULL)
		return pst_quarantine(ev, "a virus");
	return PST_CONTINUE;
}
static enum pst_verdict
on_branch(struct pst_event *ev)
{
	return pst_header_insert(ev, "X-Branch", pst_get(ev, "rcpt.domain"))
	    == 0 ? PST_CONTINUE : PST_TEMPFAIL;
}
static enum pst_verdict
on_deliver(struct pst_event *ev)
{
	const char *host = pst_get(ev, "deliver.host");

	if (pst_set(ev, "rcpt.tls", "none") == 0)
		return PST_REJECT;
	return host != NULL && strcmp(host, "mx.example") == 0 ?
	    PST_TEMPFAIL : PST_CONTINUE;
}
static enum pst_verdict
on_bounced(struct pst_event *ev)
{
	pst_alert(ev, PST_WARNING, "bounce", "given up: %s",
	    pst_get(ev, "deliver.text"));
	return PST_REJECT;
}
""")

RECORDS = plugin("records", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
got(struct pst_event *ev, const struct pst_result *res)
{
	char text[200] = "";
	uint32_t i;

	for (i = 0; i < res->count; i++)
		strncat(text, res->item[i].p, 50);
	return pst_reject(ev, 550, "5.0.0", "%s%s", text,
	    res->secure ? " secure" : "");
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	return pst_dns(ev, "x.example", pst_get(ev, "sender.local"), got);
}
""")

POLICY = """
local t = lookup "partners"
on("rcpt", function(rcpt, msg, conn)
  local level = t[rcpt.domain]
  if level then rcpt:tls(level) end
  if rcpt.localpart == "no" then return reject(550, "5.7.1", conn.ip) end
  if rcpt.localpart == "bug" then local x = nil; x.y = 1 end
end)
on("message", function(msg)
  local a, b = parallel {
    function() return dns.a("x.example") end,
    function() sleep(1) return http.get("http://h.example/").json.n end }
  msg:add_header("X-A", a[1] .. "/" .. b)
  for _, r in ipairs(msg.recipients) do
    r:set_header("X-R", r.address .. " " .. r:tls())
    if msg:header("Subject") == "strict" then r:tls("required-verify") end
  end
  local found = msg:body():find("two")
  for line in msg:body():lines() do log.info("line %s at %d", line, found) end
end)
on("deliver", function(a) if a.mx == "mx.example" then a:tls("required") end
end)
"""

FAILS = """
on("mail", function(msg)
  if msg.sender_local == "one" then local x = nil; x.y = 1 end
  if msg.sender_local == "two" then local x = nil; x.y = 2 end
end)
"""

# What no other test asks of the policy's functions.
API = """
local seen, greylist = metric "seen", metric "waiting"
on("connect", function(conn)
  if conn.ip == "192.0.2.66" then return disconnect("not you") end
  local names = dns.ptr(conn.ip)
  log.error("%s is %s, %d of them", conn.ip, names[1] or "nobody", #names)
end)
on("tls", function(conn)
  seen:inc()
  if conn.tls.version == "TLSv1.2" then return reject(554, "5.7.1", "old") end
end)
on("helo", function(conn)
  if conn.helo == "liar" then return disconnect("go away") end
end)
on("message", function(msg)
  seen:inc(10)
  greylist:set(#msg.recipients)
  local six = dns.aaaa("x.example")
  local answer = http.post("http://h.example/", msg.sender,
    { type = "text/plain", headers = { ["X-Key"] = "k" } })
  msg:insert_header("X-Seen", table.concat(msg:headers("X-Many"), "+") .. "/"
    .. six[1] .. "/" .. answer.code .. answer.json.word)
  if #msg:headers("X-None") > 0 then return reject() end
end)
"""

# Every rule is found by names, so that messages without them pass it by.
NAMED = """
rule "address" { when = { rcpt = "Boss@x.example" }, tls = "required" }
rule "and below" { when = { rcpt_domain = ".p.example" }, tls = "required" }
rule "below" { when = { rcpt_domain = "*.q.example" }, tls = "required" }
rule "sender" { when = { sender = "boss@us.example" }, tls = "required" }
rule "nobody" { when = { sender = "<>" }, tls = "required" }
rule "off" { when = { rcpt_domain = "off.example" }, tls = "required",
  enabled = false }
rule "domains" { when = { sender_domain = { "s.example", "*.t.example" } },
  tls = "required" }
"""
PLAIN = ("a@us.example x@x.example", "s@example q@q.example",
         "a@xs.example x@p.example.net", "t@t.example x@xp.example",
         "a@us.example u@off.example")
FOUND = ("a@us.example BOSS@X.example", "a@us.example x@P.example",
         "a@us.example x@a.b.p.example", "a@us.example x@a.q.example",
         "boss@US.example x@x.example", "<> x@x.example",
         "a@S.example x@x.example", "a@b.t.example x@x.example")


def sent(pairs, tls):
    return "".join(
        "mail %s\nrcpt y@other.example\nrcpt %s\neom -> continue\n"
        "expect fact rcpt.tls %s for %s\n" % (*pair.split(), tls,
                                              pair.split()[1])
        for pair in pairs)


GIVER = plugin("giver", "PST_LOOKUP_GET:get PST_TLS_POLICY_DECIDE:decide",
               """
static enum pst_verdict
later(struct pst_event *ev, const struct pst_result *res)
{
	static const char *const words[] = { "one", "two" };
	struct pst_lookup *q = ev->arg;
	struct pst_str *item = pst_alloc(ev, PST_EVENT, 2 * sizeof(*item));
	char *p;
	int i;

	(void)res;
	for (i = 0; i < 2; i++) {
		p = pst_alloc(ev, PST_EVENT, 4);
		if (item == NULL || p == NULL)
			return PST_TEMPFAIL;
		memcpy(p, words[i], 4);
		item[i] = (struct pst_str){ p, 3 };
	}
	q->item = item;
	q->count = 2;
	return PST_CONTINUE;
}
static enum pst_verdict
get(struct pst_event *ev)
{
	return pst_timer(ev, 10, later);
}
static enum pst_verdict
decided(struct pst_event *ev, const struct pst_result *res)
{
	struct pst_tls_hop *hop = ev->arg;
	char *p = pst_alloc(ev, PST_EVENT, 9);

	(void)res;
	if (p == NULL)
		return PST_TEMPFAIL;
	memcpy(p, "required", 9);
	hop->want = p;
	return PST_CONTINUE;
}
static enum pst_verdict
decide(struct pst_event *ev)
{
	return pst_timer(ev, 10, decided);
}
""").replace("#include <string.h>", "#include <string.h>\n"
             "#include <postern/lookup.h>", 1)

CRASHER = plugin("crasher", "PST_ON_MAIL:on_mail", """
__attribute__((constructor)) static void
begins(void)
{
	%s;
}
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	(void)ev;
	return PST_CONTINUE;
}
""")

LISTENER = plugin("listener", "PST_ON_START:on_start", """
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static enum pst_verdict serve(struct pst_event *ev);

static enum pst_verdict
came(struct pst_event *ev, const struct pst_result *res)
{
	int *fd = ev->arg, client = accept(*fd, NULL, NULL);
	char text[100];
	ssize_t n = client >= 0 ? read(client, text, sizeof(text)) : -1;

	(void)res;
	if (n > 0)
		n = write(client, text, (size_t)n);
	if (client >= 0)
		(void)close(client);
	return serve(ev);
}
static enum pst_verdict
serve(struct pst_event *ev)
{
	int *fd = ev->arg;

	return pst_watch(ev, *fd, PST_READ, 0, came);
}
static void
end(void *arg)
{
	int *fd = arg;

	(void)close(*fd);
}
static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int *fd = pst_data(ev, PST_INSTANCE, int);

	if (fd == NULL)
		return PST_TEMPFAIL;
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	pst_defer(ev, PST_INSTANCE, end, fd);
	a.sin_port = htons(7777);
	if (inet_pton(AF_INET, ev->instance, &a.sin_addr) != 1 ||
	    bind(*fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(*fd, 5) != 0 || pst_task(ev, serve, fd) != 0)
		return PST_TEMPFAIL;
	return PST_CONTINUE;
}
""")

CASES = [
    Case("files are there for plugins, and what those write is read",
         "file %/deep/er/table = \"x.example required\\n\"\n"
         "plugin tls_table file=%/deep/er/table\n"
         "plugin log_mail file=%/log head=false\n"
         "op tls_policy/1.rcpt domain=x.example\nexpect out want = required\n"
         "file %/deep/er/table = none\nexpect file %/deep/er/table none\n"
         "expect file %/log none\nop log_sink/1.line text=\"a % line\"\n"
         "op log_sink/1.flush\nexpect file %/log ~ /Info: a % line\\n$/\n"
         "file %/empty = folder\nfile %/empty/x = \"%/y\"\n"
         "expect file %/empty/x = \"%/y\"\n"),
    Case("a script writes no file but its own",
         "file /tmp/x = y\n", 2, ["t.stub:1: a file's path begins with %/"]),
    Case("nor one above its folder",
         "file %/../x = y\n", 2, ["t.stub:1: a file's path begins with %/"]),
    Case("a client is answered by a plugin that listens",
         "plugin ./listener.so as=%\n"
         "connect %:7777 hello\nexpect out answer = hello\n"
         "connect %:7777 again\nexpect out answer = again\n",
         plugins={"listener": LISTENER}),
    Case("a client that finds nobody says so",
         "connect %:7777 hello\n", 2, ["t.stub:1: 127.", "Connection refused"]),
    Case("what a plugin answers late is read while it is there",
         "plugin ./giver.so\n"
         "op lookup/1.get key=x -> continue\n"
         "expect out count = 2\nexpect out 0 = one\nexpect out 1 = two\n"
         "op tls_policy/1.decide domain=x.example -> continue\n"
         "expect out want = required\nchaos op -> never continue\n",
         plugins={"giver": GIVER}),
    Case("a plugin that crashes while it is loaded is named, with its signal",
         "plugin ./good.so\nplugin ./crasher.so as=second\n"
         + MAIL % "-> continue", 1,
         ["not ok 1 - t.stub:2: plugin ./crasher.so as=second\n"
          "# plugin \"second\" (/", "/crasher.so): signal 6 (Aborted) while "
          "it was loaded\n1..1\n"],
         {"good": plugin("good", "PST_ON_MAIL:on_mail", """
static enum pst_verdict
on_mail(struct pst_event *ev)
{
	(void)ev;
	return PST_CONTINUE;
}
"""), "crasher": CRASHER % "abort()"}),
    Case("a plugin that ends the process while it is loaded is named",
         "plugin ./crasher.so\n" + MAIL % "-> continue", 1,
         ["/crasher.so): ended the process with status 0 while it was "
          "loaded\n"], {"crasher": CRASHER % "exit(0)"}),
    Case("chaos says why it has nothing to do",
         "plugin ./bad.so\n" + MAIL % "-> continue" + "chaos\n", 0,
         ["# chaos: 0 runs", "# chaos: nothing in the script waits, asks or "
          "allocates"], verdict("bad", "PST_CONTINUE")),
    Case("rules are asked about messages with a name of theirs",
         "plugin lua file=@/policy.lua\nsession 192.0.2.1\n"
         + sent(PLAIN, "none")
         + "expect count calls_message = 5\n"
         "expect count instructions_message = 0\n"
         + sent(FOUND, "= required")
         + "expect count calls_message = 13\n"
         "expect count instructions_message ~ /^[1-9]/\n", files={"policy.lua": NAMED}),
    Case("a policy is asked, waits and sets, and no fault gets past it",
         "plugin lua file=@/policy.lua\n"
         "lookup partners p.example = required\nlookup partners * = none\n"
         "dns x.example A 192.0.2.7\n"
         "http GET http://h.example/ = 200 \"{\\\"n\\\":5}\"\n"
         "session 192.0.2.1\nmail a@us.example -> continue\n"
         "rcpt x@p.example -> continue\n"
         "expect fact rcpt.tls ~ /^required/ for x@p.example\n"
         "rcpt no@p.example -> reject 550 5.7.1 \"192.0.2.1\"\n"
         "rcpt bug@q.example -> tempfail 451 4.3.5\n"
         "expect alert /policy:policy.lua:7/\n"
         "expect count errors_rcpt = 1\n"
         "rcpt y@q.example -> continue\nheader Subject: strict\n"
         "body \"one\\r\\ntwo\\r\\n\"\neom -> continue\n"
         "expect header X-A = \"192.0.2.7/5\"\n"
         "expect header X-R = \"y@q.example opportunistic\" "
         "for y@q.example\n"
         "expect fact rcpt.tls ~ /^required-verify/ for y@q.example\n"
         "expect branches = 2\nexpect log /line two at 6/\n"
         "deliver host=mx.example -> continue\n"
         "expect fact deliver.tls ~ /^required/\n"
         "chaos eom -> never accept\n", files={"policy.lua": POLICY}),
    Case("a line that fails alerts once an hour",
         "plugin lua file=@/policy.lua\nsession 192.0.2.1\n"
         "mail one@us.example -> tempfail 451 4.3.5\n"
         "expect alert /policy\\.lua:3/\n"
         "mail one@us.example -> tempfail 451 4.3.5\ntime +59m\n"
         "mail one@us.example -> tempfail 451 4.3.5\n"
         "expect no alert /(?s)policy:policy.lua:3.*policy:policy.lua:3/\n"
         "mail two@us.example -> tempfail 451 4.3.5\n"
         "expect alert /policy\\.lua:4/\n"
         "time +1m\nmail one@us.example -> tempfail 451 4.3.5\n"
         "expect alert /(?s)policy:policy.lua:3.*policy:policy.lua:3/\n"
         "expect no alert /(?s)(policy:policy.lua:3.*){3}/\n"
         "expect count errors_mail = 5\n", files={"policy.lua": FAILS}),
    Case("a policy asks for names and addresses, posts, counts, inserts, ends",
         "plugin lua file=@/policy.lua\n"
         "dns 192.0.2.1 PTR mx.x.example other.x.example\n"
         "dns 2001:DB8:0::1 PTR six.x.example\n"
         "dns 3.2.0.192.in-addr.arpa PTR three.x.example\n"
         "dns * PTR nxdomain\ndns x.example AAAA 2001:db8::1\n"
         'http POST http://h.example/ = 201 "{\\"word\\":\\"yes\\"}"\n'
         "session 2001:db8::1\nexpect log /2001:db8::1 is six.x.example, 1/\n"
         "session 192.0.2.3\nexpect log /192.0.2.3 is three.x.example, 1/\n"
         "session 192.0.2.9\nexpect log /192.0.2.9 is nobody, 0/\n"
         "session 192.0.2.66 -> disconnect /not you/\n"
         "session 192.0.2.1 helo liar -> disconnect /go away/\n"
         "session 192.0.2.1 tls TLSv1.2 AES128-SHA -> reject 554 5.7.1 /old/\n"
         "session 192.0.2.1 tls TLSv1.3 TLS_AES_128_GCM_SHA256 -> continue\n"
         "expect log /Critical: .*192.0.2.1 is (mx|other).x.example, 2/\n"
         "expect count seen = 2\nmail a@us.example\nrcpt b@x.example\n"
         "rcpt c@x.example\nheader Subject: x\nheader X-Many: one\n"
         "header X-Many: two\nbody x\neom -> continue\n"
         "expect header X-Seen = one+two/2001:db8::1/201yes\n"
         "expect http /^POST http:\\/\\/h.example\\/\\n"
         "Content-Type: text\\/plain\\nX-Key: k\\n\\na@us.example$/\n"
         "expect count seen = 12\nexpect count waiting = 2\n"
         "chaos eom -> never continue\n", files={"policy.lua": API}),
    Case("records of each type arrive as they were written",
         "plugin ./records.so\n" + "".join(
             "dns x.example %s %s\n" % pair for pair in (
                 ("A", "192.0.2.1 192.0.2.2"), ("AAAA", "2001:db8::1"),
                 ("MX", '"10 mx.example" secure'), ("TXT", '"a b"'),
                 ("TLSA", '"3 1 1 00ff"'), ("CNAME", "y.example"),
                 ("PTR", "z.example")))
         + "session 192.0.2.1\n"
         "mail A@b.example -> reject /192.0.2.1192.0.2.2$/\n"
         "mail AAAA@b.example -> reject \"2001:db8::1\"\n"
         "mail MX@b.example -> reject \"10 mx.example secure\"\n"
         "mail TXT@b.example -> reject \"a b\"\n"
         "mail TLSA@b.example -> reject \"3 1 1 00ff\"\n"
         "mail CNAME@b.example -> reject y.example\n".replace(
             "y.example", '"y.example"')
         + "mail PTR@b.example -> reject \"z.example\"\n",
         plugins={"records": RECORDS}),
    Case("a record that is none says where", "dns x A 192.0.2.999\n", 2,
         ['t.stub:1: "192.0.2.999" is no record of that type']),
    faulty("what is no verdict", "(enum pst_verdict)42"),
    faulty("that it waits, for nothing", "PST_WAIT"),
    faulty("quarantine at mail", "PST_QUARANTINE"),
    faulty("no with a code of yes",
           'pst_reject(ev, 250, "2.0.0", "fine\\r\\n")'),
    Case("a verdict that was not expected fails, and is shown",
         "plugin ./bad.so\n" + MAIL % "-> continue", 1,
         ["not ok 1 - t.stub:3: mail a@us.example -> continue",
          "# reject 550 5.7.1 no"],
         verdict("bad", 'pst_reject(ev, 550, "5.7.1", "no")')),
    Case("chaos finds a plugin that takes a failure for a no",
         "plugin ./careless.so\ndns x.example A nxdomain\n"
         + MAIL % "-> continue" + "chaos mail -> never continue\n", 1,
         ["timeout of request 1: line 4: when a request times out",
          "failure of request 1: line 4", "2 of 4 runs went wrong"],
         {"careless": CARELESS}),
    Case("chaos looks at the step that met the fault, and at no other",
         "plugin ./trusts.so\nlookup bad x.example = yes\n"
         "lookup bad * = none\nsession 192.0.2.1\n"
         "mail a@x.example -> reject\nmail a@y.example -> continue\n"
         "chaos mail -> never continue\n", 1,
         ["timeout of request 1: line 5: when a request times out",
          "failure of request 1: line 5: when a request fails",
          "failure of request 2: line 6: ",
          "8 of 10 runs went wrong"], {"trusts": TRUSTS}),
    Case("chaos finds a plugin that does not look whether it got memory",
         "plugin ./trusting.so\n" + MAIL % "-> continue" + "chaos\n", 1,
         ["no memory for allocation 1: "], {"trusting": TRUSTING}),
    Case("time moves for timers alone, storage lasts for its scope",
         "plugin ./ticks.so\nsession 192.0.2.1 -> continue\n"
         "expect count late 1\nmail <>  -> continue\nmail a@b.example\n"
         "mail a@b.example -> reject 550 /3 in one/\n"
         "session 192.0.2.2\nexpect log /gone: 192.0.2.1/\n"
         "mail a@b.example -> continue\nchaos -> never accept\n",
         plugins={"ticks": TICKS}),
    Case("a plugin that is never woken fails at its deadline",
         "plugin ./sleeper.so\n" + MAIL % "-> tempfail 451 4.3.0"
         + "chaos mail -> never continue\n", plugins={"sleeper": SLEEPER}),
    Case("operations get their arguments and give their answers",
         "plugin ./levels.so as=one\n"
         "op tls_policy/1.decide domain=x.example mx=mx.x.example/secure "
         "-> continue\nexpect out want = \"required-verify match=mx\"\n"
         "expect out source = test\nexpect out ttl = 60\n"
         "op tls_policy/1.decide @one domain=x.example mx=mx.x.example\n"
         "expect out want none\n"
         "op tls_policy/1.rcpt domain=bank.example\n"
         "expect out want = required\n", plugins={"levels": LEVELS}),
    Case("a filter reads all octets, and its word holds at the end",
         "plugin ./reader.so\n" + MAIL % "" + "rcpt b@c.example\n"
         "header Subject: x\nbody short\neom -> continue\n"
         "mail a@us.example\nrcpt b@c.example\nbody \"" + "x" * 2000
         + "\"\neom -> reject 552 5.3.4\nchaos eom -> never accept\n",
         plugins={"reader": READER}),
    Case("notes, holds, quarantine, branches, deliveries and reports",
         "plugin ./holder.so\n" + MAIL % "" + "rcpt b@c.example\n"
         "header X-Virus: yes\neom -> quarantine /a virus/\n"
         "expect fact note.seen = yes\nexpect fact message.hold = 60\n"
         "mail a@us.example\nrcpt b@c.example\nrcpt b@d.example\n"
         "eom -> continue\nexpect branches 1\nbranch -> continue\n"
         "expect header X-Branch = c.example for b@d.example\n"
         "deliver host=other.example -> continue\n"
         "deliver host=mx.example -> tempfail\n"
         "bounced text=\"no such user\" -> continue\n"
         "expect alert /given up: no such user/\n",
         plugins={"holder": HOLDER}),
    Case("what a connection noted is noted with each of its messages",
         "plugin ./noter.so\nsession 192.0.2.1 -> continue\n"
         "expect fact note.who = here\n"
         "mail a@us.example -> continue\nexpect fact note.once = here\n"
         "mail b@us.example -> continue\nexpect fact note.once = here\n"
         "disconnect\nexpect log /was here/\n"
         "session 192.0.2.2\nexpect fact note.once none\n",
         plugins={"noter": NOTER}),
    Case("what the relay refuses to set is refused",
         "plugin ./beyond.so\n" + MAIL % "" + "rcpt b@c.example\n"
         "eom -> continue\nexpect fact rcpt.route = smarthost\n"
         "expect log /as a host it has a port: 192.0.2.25:25/\n"
         "expect log /\"2592001\" is not a number of seconds/\n",
         plugins={"beyond": BEYOND}),
    Case("a script that is wrong says where",
         "session 192.0.2.1\nmial x\n", 2,
         ['t.stub:2: no statement is called "mial"']),
    Case("a file that is missing says where", "\nplugin ./none.so\n", 2,
         ["t.stub:2: ", "none.so: No such file"]),
    Case("what is asked and not in the script is told",
         "plugin ./careless.so\n" + MAIL % "", 0,
         ["# not in the script: dns x.example A"],
         {"careless": CARELESS}),
    Case("recipients come and go, and people are told something", """
plugin ./recipients.so
session 192.0.2.1
mail a@us.example
rcpt b@us.example
rcpt c@us.example
data
header Subject: x
body "y"
eom
expect fact rcpt.branch = far for z@far.example
expect log ~ /notice of recipients to <a@us.example>: Hi/
expect log ~ /recipient was dropped/
""", plugins={"recipients": plugin("recipients", "PST_ON_EOM:on_eom", """
static enum pst_verdict
on_eom(struct pst_event *ev)
{
	struct pst_notice n = { .size = sizeof(n), .to = "a@us.example",
		.subject = "Hi", .text = "text" };
	int i = pst_rcpt_add(ev, "z@far.example", PST_RCPT_QUIET);

	if (i != 2 || pst_rcpt(ev, i) != 0 ||
	    pst_set(ev, "rcpt.branch", "far") != 0 || pst_rcpt(ev, 0) != 0 ||
	    pst_rcpt_drop(ev) != 0 || pst_rcpt(ev, 0) != -1 ||
	    pst_set(ev, "rcpt.branch", "x") != -1 || pst_notify(ev, &n) != 0)
		return PST_REJECT;
	return PST_CONTINUE;
}
""")}),
]
