"""The schema of store_pgsql when it was of version 1, in PostgreSQL."""

TABLES = ("lease", "message", "recipient", "body", "corrupt")

VERSION_1 = """
CREATE TABLE lease(store integer PRIMARY KEY, owner text NOT NULL,
 host text NOT NULL, token bigint NOT NULL, seq bigint NOT NULL,
 until timestamptz NOT NULL);
CREATE TABLE message(store integer NOT NULL, mid bigint NOT NULL,
 content bigint NOT NULL, queued bigint NOT NULL,
 hold smallint NOT NULL, sender bytea NOT NULL, size bigint NOT NULL,
 length bigint NOT NULL, sum bigint NOT NULL, icid bigint NOT NULL,
 flags bigint NOT NULL, envid bytea NOT NULL,
 client_ip bytea NOT NULL, helo bytea NOT NULL, auth bytea NOT NULL,
 listener bytea NOT NULL, edits bytea NOT NULL, notes bytea NOT NULL,
 quarantine bytea NOT NULL, not_before bigint NOT NULL,
 waits_for bytea NOT NULL,
 PRIMARY KEY(store, mid));
CREATE INDEX message_content ON message(store, content);
CREATE INDEX message_mid ON message(mid);
CREATE TABLE recipient(store integer NOT NULL, mid bigint NOT NULL,
 rid bigint NOT NULL, state smallint NOT NULL, code integer NOT NULL,
 attempts bigint NOT NULL, notify bigint NOT NULL,
 next bigint NOT NULL, warned smallint NOT NULL, addr bytea NOT NULL,
 orcpt bytea NOT NULL, status bytea NOT NULL, reason bytea NOT NULL,
 remote bytea NOT NULL, tls_reason bytea NOT NULL,
 want bytea NOT NULL, route bytea NOT NULL,
 PRIMARY KEY(store, mid, rid));
CREATE TABLE body(store integer NOT NULL, mid bigint NOT NULL,
 seq bigint NOT NULL, data bytea NOT NULL,
 PRIMARY KEY(store, mid, seq));
CREATE TABLE corrupt(store integer NOT NULL, mid bigint NOT NULL,
 content bigint NOT NULL, at timestamptz NOT NULL, why text NOT NULL,
 sender bytea, recipients text, PRIMARY KEY(store, mid));
CREATE VIEW v_queue AS SELECT m.store AS store, m.mid AS mid,
 to_timestamp(m.queued / 1000) AS queued,
 CASE m.hold WHEN 0 THEN 'active' WHEN 1 THEN 'held'
 ELSE 'frozen' END AS hold, encode(m.sender, 'escape') AS sender,
 m.size AS size, (SELECT count(*) FROM recipient r WHERE
 r.store = m.store AND r.mid = m.mid AND r.state = 0) AS waiting,
 encode(m.client_ip, 'escape') AS client_ip,
 encode(m.helo, 'escape') AS helo,
 encode(m.listener, 'escape') AS listener,
 encode(m.quarantine, 'escape') AS quarantine,
 m.edits <> ''::bytea AS edited,
 encode(m.waits_for, 'escape') AS waits_for FROM message m;
CREATE VIEW v_recipients AS SELECT store, mid, rid,
 encode(addr, 'escape') AS addr,
 CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'done'
 WHEN 2 THEN 'bounced' WHEN 3 THEN 'deleted' ELSE 'moved' END
 AS state, attempts, to_timestamp(next / 1000) AS next, code,
 encode(status, 'escape') AS status,
 encode(reason, 'escape') AS reason,
 encode(remote, 'escape') AS remote, encode(want, 'escape') AS tls,
 encode(tls_reason, 'escape') AS tls_reason,
 encode(route, 'escape') AS route FROM recipient;
CREATE VIEW v_stores AS SELECT store, host, until,
 (SELECT count(*) FROM message m WHERE m.store = l.store) AS messages
 FROM lease l;
CREATE TABLE version(version integer NOT NULL);
INSERT INTO version VALUES(1);
"""
