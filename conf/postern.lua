-- Postern's boot file: the settings an administrator changes first.
--
-- It is Lua, so that lists can be built and text put together, but nothing in
-- it can read files or run programs. All settings are in postern.lua(5);
-- `postern check` tells whether this file is sound, `postern check --dump`
-- shows what is in force, and `postern reload` makes a running relay take it.
--
-- What several people edit can be in the configuration store, over this file:
-- `postern config set`, `diff`, `postern commit`, `postern config rollback`.
--
-- As it is, mail from this host is taken on port 25 and delivered to the world.

-- The name in greeting, EHLO and Received. Default: that of the system.
-- hostname = "mx.example.com"

-- Who reads mail for <postmaster> here, and the sender of reports.
-- postmaster = "postmaster@example.com"

spool = "/var/spool/postern"
run = "/run/postern"
workers = 0 -- one for each core

log {
  file = "/var/log/postern/mail.log",
  -- json = "/var/log/postern/mail.json",
  -- syslog = true,
}

listener "inbound" {
  address = { "127.0.0.1:25", "[::1]:25" },
  -- address = { "*:25" },
  tls = "preferred",
  -- Without a certificate, one is made at the first start; nobody can
  -- verify that.
  -- cert = "/etc/postern/tls/mx.example.com.pem",
  -- key = "/etc/postern/tls/mx.example.com.key",
}

-- Clients to be treated in another way: sender_groups of a listener names
-- them in order, the first that a client is in counts. What a policy does not
-- set is as the listener has it.
-- listener "inbound" { ..., sender_groups = { "BLOCKED", "PARTNERS" } }
-- sender_group "BLOCKED" {
--   senders = { "192.0.2.10-20", "dnslist[bl.example.net]" },
--   policy = "REJECT",
-- }
-- sender_group "PARTNERS" { senders = { ".partner.example" }, policy = "TLS" }
-- mail_flow_policy "REJECT" { behavior = "reject" }
-- mail_flow_policy "TLS" { tls = "required", message_size = "50M" }

-- Who may send where. Everything else is refused.
relay {
  networks = { "127.0.0.0/8", "::1" }, -- to anywhere
  domains = {}, -- from anybody, to these: { "example.com", ".example.com" }
  -- users = "/etc/postern/users", -- lines user:hash; turns AUTH on
  -- user_table = "accounts", -- so, from plugin "lookup_file" "accounts" { }
}

-- Recipients, the nearest counts; before relay.domains.
-- recipient_access "example.com" { }
-- recipient_access "old@example.com" { access = "reject", text = "Moved" }

-- Senders that are not asked for their domain, or refused, under policies with
-- sender_exceptions = true.
-- sender_exception "old.example" { }
-- sender_exception ".spam.example" { access = "reject" }

-- The TLS levels of all listeners and of delivery: also `postern profile`,
-- with `strict` for relays that trust each other only.
delivery {
  tls = "opportunistic",
  concurrency = 500, -- connections to one destination
}

-- What TLS must be, for an address, a domain, what is below it, or "*".
-- destination "partner.example" { tls = "required-verify deadline=24h" }
-- destination ".partner.example" { tls = "required" }

-- Domains that do not go to their MX. "*" is everything else: a smarthost.
-- route "example.net" { hosts = { "192.0.2.25:25" } }
-- route "*" {
--   hosts = { "smtp.example.org:587" },
--   tls = "required-verify",
--   auth_user = "relay",
--   auth_password_file = "/etc/postern/smarthost.password",
-- }

-- Rules for messages and recipients, in Lua: postern-policy(7).
-- policy { file = "policy.lua" }
-- Conditions attachment, body and charset ask this (plugins/mime/README.md).
-- plugin "mime" { }

-- Plugins: each block is an instance; see PLUGINS in postern.lua(5).
-- plugin "rate" { limit = 100 }
-- plugin_order { mail = { "rate" } } -- who is asked first

-- How long mail is tried, and who is told; also by `postern bounceconfig`.
bounce_profile "default" {
  first_retry = "60s",
  max_retry = "1h",
  lifetime = "72h",
  -- warn = true, -- tell senders of delays: after 4h, once
}

-- Others are named by destinations, routes, listeners and rules. This one gives
-- up after a day, as Forefront Online (FOPE) does.
-- bounce_profile "fope" {
--   first_retry = "60s", max_retry = "1h", lifetime = "24h", jitter = 0,
-- }

limits {
  message_size = "150000000",
  recipients = 1000,
}

-- Who is told when something is wrong, also by `postern alertconfig`.
-- alerts { server = "mail.example.org" } -- default the MX of each address
-- alert_recipient "ops@example.org" {
--   classes = { "System/Warning", "all/Critical" },
-- }
-- What Prometheus reads.
-- plugin "metrics_prometheus" { listen = "127.0.0.1:9100" }
