"""postern certconfig, command by command, against the openssl command."""

import json
import os
import stat
import subprocess
import types

import pytest

from lib import base, luaconf
from lib.ca import PAST, Ca

HOST = "mx.relay.example"


@pytest.fixture(scope="module")
def pki():
    root = Ca("Test Root")
    middle = Ca("Test Middle", root)
    return types.SimpleNamespace(root=root, middle=middle,
                                 other=Ca("Other Middle", root))


class Store:
    """A boot file and the program to run on it."""

    def __init__(self, pki, config=None):
        self.dir = base.private_dir("certconfig")
        self.tls = os.path.join(self.dir, "spool", "tls")
        self.conf = os.path.join(self.dir, "postern.lua")
        settings = luaconf.merge({
            "hostname": HOST,
            "spool": os.path.join(self.dir, "spool"),
            "run": os.path.join(self.dir, "run"),
            "listener": {"in": {"address": ["127.0.0.1:2525"]}},
            "delivery": {"ca_file": pki.root.cert},
        }, config or {})
        base.write_file(self.conf, luaconf.text(settings))

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, *args, code=0, stdin=""):
        done = subprocess.run(
            [base.POSTERN_BIN, "certconfig", "-c", self.conf] + list(args),
            input=stdin, capture_output=True, text=True, timeout=120,
            start_new_session=True, check=False)
        assert done.returncode == code, (args, done.stdout, done.stderr)
        return types.SimpleNamespace(out=done.stdout, err=done.stderr)

    def json(self, *args, code=0):
        return json.loads(self.run("--json", *args, code=code).out)

    def create(self, name="main", key="p256", *args):
        self.run("create", name, "--cn", HOST, "--key", key, *args)
        return self.path_csr(name)

    def path_csr(self, name):
        out = self.path("%s.csr" % name.replace("/", "_"))
        self.run("csr", name, "-o", out)
        return out

    def words(self, *args, code=0):
        found = self.json("check", *args, code=code)
        return {f["word"] for c in found["checks"] for f in c["findings"]}

    def served(self, name="main"):
        return subjects(os.path.join(self.tls, name, "cert.pem"))


@pytest.fixture
def store(pki):
    return Store(pki)


def openssl(*args, code=0):
    done = subprocess.run(("openssl",) + args, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return done.stdout + done.stderr


def subjects(path):
    text = openssl("crl2pkcs7", "-nocrl", "-certfile", path)
    p7 = path + ".p7b"
    base.write_file(p7, text)
    out = openssl("pkcs7", "-in", p7, "-print_certs", "-noout")
    os.unlink(p7)
    return [line.split("CN = ")[1].strip() for line in out.splitlines()
            if line.startswith("subject=")]


def join(path, *files):
    text = "".join(base.read_text(name) for name in files)
    return base.write_file(path, text)


def signed(store, pki, name="main"):
    """A profile whose certificate the intermediate has signed."""
    leaf = pki.middle.sign(store.create(name), store.path(name + ".pem"))
    store.run("upload", name, leaf, pki.middle.cert)
    return leaf


# Making

@pytest.mark.parametrize("key, shown", [
    ("rsa2048", "RSA-2048"), ("rsa3072", "RSA-3072"), ("p256", "ECDSA P-256"),
    ("p384", "ECDSA P-384")])
def test_makes_certificate_and_request_in_one_step(store, key, shown):
    csr = store.create("main", key, "--org", "Größe GmbH", "--unit", "Post",
                       "--locality", "Köln", "--state", "NRW", "--country",
                       "de")
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", csr)
    text = openssl("req", "-in", csr, "-noout", "-text", "-nameopt",
                   "utf8,sep_comma_plus_space")
    for part in ("C=DE", "ST=NRW", "L=Köln", "O=Größe GmbH", "OU=Post",
                 "CN=" + HOST, "DNS:" + HOST):
        assert part in text
    entry = store.json("show", "main")
    assert entry["key"] == shown
    assert entry["self_signed"] and not entry["demo"]
    assert entry["chain"][0]["names"] == [HOST]
    cert = os.path.join(store.tls, "main", "cert.pem")
    openssl("verify", "-CAfile", cert, cert)


def test_takes_more_names_and_days(store):
    store.run("create", "main", "--cn", HOST, "--san", HOST, "--san",
              "*.relay.example", "--san", "192.0.2.1", "--san",
              "2001:db8::1", "--days", "10", "--key", "p256")
    fact = store.json("show", "main")["chain"][0]
    assert fact["names"] == [HOST, "*.relay.example", "192.0.2.1",
                             "2001:db8::1"]
    cert = os.path.join(store.tls, "main", "cert.pem")
    openssl("x509", "-in", cert, "-noout", "-checkend", str(9 * 86400))
    openssl("x509", "-in", cert, "-noout", "-checkend", str(11 * 86400),
            code=1)


@pytest.mark.parametrize("args, said", [
    (("--cn", "x" * 65), "64"), (("--cn", "a\nb"), "control"),
    (("--cn", HOST, "--country", "DEU"), "two letters"),
    (("--cn", HOST, "--san", "a b"), "host name"),
    (("--cn", HOST, "--days", "0"), "days")])
def test_refuses_fields_that_are_wrong(store, args, said):
    assert said in store.run("create", "main", *args, code=1).err
    assert not os.path.exists(os.path.join(store.tls, "main"))


def test_refuses_weak_keys_and_missing_words(store):
    for args in (("create", "main", "--cn", HOST, "--key", "rsa1024"),
                 ("create", "main"), ("create",), ("upload", "main"),
                 ("nonsense",), ("list", "--nonsense"), ("ca",)):
        store.run(*args, code=2)
    assert "usage:" in store.run("--help").out


def test_keeps_keys_to_their_owner(store):
    store.create()
    for name, mode in (("", 0o700), ("main", 0o700), ("main/key.pem", 0o600)):
        assert stat.S_IMODE(os.stat(
            os.path.join(store.tls, name)).st_mode) == mode


def test_a_second_key_needs_another_name(store):
    store.create()
    assert "already" in store.run("create", "main", "--cn", HOST, code=1).err


def test_names_may_have_blanks_slashes_and_umlauts(store):
    for name in ("Default mail", "a/b", "..", "Zürich 100%"):
        store.create(name)
        assert store.json("show", name)["name"] == name
    names = [c["name"] for c in store.json("list")["certificates"]]
    assert sorted(names) == sorted(["Default mail", "a/b", "..",
                                    "Zürich 100%"])


# Uploads

def test_uploads_what_the_authority_signed_in_any_order(store, pki):
    leaf = pki.middle.sign(store.create(), store.path("leaf.pem"))
    mixed = join(store.path("mixed.pem"), pki.root.cert, pki.middle.cert,
                 leaf, pki.middle.cert)
    store.run("upload", "main", mixed)
    assert store.served() == [HOST, "Test Middle"]
    assert store.json("check", "main")["checks"][0]["verified"]
    assert store.json("show", "main")["versions"] == 1


@pytest.mark.parametrize("form", ["der", "p7b", "p7c", "pem"])
def test_uploads_each_format(store, pki, form):
    leaf = pki.middle.sign(store.create(), store.path("leaf.pem"))
    out = store.path("leaf." + form)
    files = [out]
    if form == "der":
        openssl("x509", "-in", leaf, "-outform", "DER", "-out", out)
        files.append(pki.middle.cert)
    elif form == "pem":
        join(out, leaf)
        files.append(pki.middle.cert)
    else:
        openssl("crl2pkcs7", "-nocrl", "-certfile", leaf, "-certfile",
                pki.middle.cert, "-outform", "PEM" if form == "p7b" else "DER",
                "-out", out)
    store.run("upload", "main", *files)
    assert store.served() == [HOST, "Test Middle"]


def test_says_which_intermediate_is_missing(store, pki):
    leaf = pki.middle.sign(store.create(), store.path("leaf.pem"))
    assert "Test Middle" in store.run("upload", "main", leaf).err
    assert "missing-intermediate" in store.words("main", code=1)
    store.run("upload", "main", "--add", pki.middle.cert)
    assert store.served() == [HOST, "Test Middle"]
    assert store.words("main") == set()


def test_refuses_the_certificate_of_another_key(store, pki):
    store.create()
    store.create("other")
    leaf = pki.middle.sign(store.path("other.csr"), store.path("leaf.pem"))
    before = store.served()
    assert "private key" in store.run("upload", "main", leaf, code=1).err
    assert store.served() == before
    assert store.json("show", "main")["versions"] == 0


@pytest.mark.parametrize("data, said", [
    (b"", "empty"), (b"PK\x03\x04zip", "ZIP"),
    (b"\xfe\xed\xfe\xed\0\0", "Java key store"), (b"hello", "unknown"),
    (b"MIIB", "base64"), (b"0\x82\x01\x00xx", "neither"),
    (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
     "damaged"),
    (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "damaged"),
    (b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
     "public key")])
def test_names_the_format_it_does_not_take(store, data, said):
    store.create()
    path = store.path("strange")
    with open(path, "wb") as out:
        out.write(data)
    assert said in store.run("upload", "main", path, code=1).err


def test_writes_into_what_is_no_regular_file(store):
    store.create()
    store.run("csr", "main", "-o", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_request_is_no_certificate(store):
    csr = store.create()
    assert "request" in store.run("upload", "main", csr, code=1).err


def test_restores_an_earlier_version(store, pki):
    store.create()
    first = base.read_text(os.path.join(store.tls, "main", "cert.pem"))
    leaf = pki.middle.sign(store.path("main.csr"), store.path("leaf.pem"))
    store.run("upload", "main", leaf, pki.middle.cert)
    store.run("restore", "main", "1")
    assert base.read_text(
        os.path.join(store.tls, "main", "cert.pem")) == first
    assert "has no version 3" in store.run("restore", "main", "3", code=1).err
    store.run("restore", "main", "2")
    assert store.served() == [HOST, "Test Middle"]


def test_renews_with_the_same_key_and_names(store, pki):
    store.run("create", "main", "--cn", HOST, "--san", HOST, "--san",
              "b.example", "--org", "Größe", "--key", "p256")
    store.path_csr("main")
    leaf = pki.middle.sign(store.path("main.csr"), store.path("leaf.pem"))
    store.run("upload", "main", leaf, pki.middle.cert)
    new = store.path("new.csr")
    store.run("renew", "main", "-o", new)
    text = openssl("req", "-in", new, "-noout", "-text", "-verify",
                   "-nameopt", "utf8")
    assert "verify OK" in text
    assert "DNS:%s, DNS:b.example" % HOST in text
    assert openssl("req", "-in", new, "-noout", "-pubkey") == openssl(
        "x509", "-in", leaf, "-noout", "-pubkey")
    again = pki.middle.sign(new, store.path("again.pem"))
    store.run("upload", "main", again, pki.middle.cert)
    assert store.json("show", "main")["versions"] == 2


# PKCS#12 and PEM pairs

def passphrase(store, text):
    return base.write_file(store.path("pass"), text + "\n", 0o600)


@pytest.mark.parametrize("legacy", [False, True])
def test_exports_what_openssl_reads(store, pki, legacy):
    signed(store, pki)
    out = store.path("main.p12")
    word = "gehäim 12"
    store.run("export", "main", "-o", out, "--passphrase-file",
              passphrase(store, word), *(["--legacy"] if legacy else []))
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    args = ["pkcs12", "-in", out, "-passin", "pass:" + word, "-noenc",
            "-info"] + (["-legacy"] if legacy else [])
    text = openssl(*args)
    assert "BEGIN PRIVATE KEY" in text
    assert text.count("BEGIN CERTIFICATE") == 2
    if legacy:
        assert "pbeWithSHA1And3-KeyTripleDES-CBC" in text
    else:
        assert "AES-256-CBC" in text
        rounds = int(text.split("Iteration ")[1].split("\n")[0].split(",")[0])
        assert rounds >= 100000
    openssl("pkcs12", "-in", out, "-passin", "pass:wrong", "-noenc", code=1)


@pytest.mark.parametrize("args", [
    (), ("-legacy",), ("-legacy", "-descert"),
    ("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"),
    ("-macalg", "sha512"), ("-certpbe", "NONE")])
def test_imports_what_openssl_writes(store, pki, args):
    leaf = signed(store, pki)
    out = store.path("o.p12")
    openssl("pkcs12", "-export", "-in", leaf, "-inkey",
            os.path.join(store.tls, "main", "key.pem"), "-certfile",
            pki.middle.cert, "-passout", "pass:secret", "-out", out, *args)
    store.run("import", "got", out, "--passphrase-file",
              passphrase(store, "secret"))
    assert store.served("got") == [HOST, "Test Middle"]
    assert openssl("pkey", "-pubout", "-in",
                   os.path.join(store.tls, "got", "key.pem")) == openssl(
                       "x509", "-noout", "-pubkey", "-in", leaf)


def test_names_a_wrong_passphrase(store, pki):
    signed(store, pki)
    out = store.path("main.p12")
    store.run("export", "main", "-o", out, "--passphrase-file",
              passphrase(store, "right"))
    said = store.run("import", "got", out, "--passphrase-file",
                     passphrase(store, "wrong"), code=1).err
    assert "wrong passphrase" in said
    assert not os.path.exists(os.path.join(store.tls, "got"))


def test_refuses_pkcs12_without_a_key(store, pki):
    out = store.path("nokey.p12")
    openssl("pkcs12", "-export", "-nokeys", "-in", pki.root.cert, "-passout",
            "pass:secret", "-out", out)
    assert "without a private key" in store.run(
        "import", "got", out, "--passphrase-file",
        passphrase(store, "secret"), code=1).err


def test_refuses_an_empty_passphrase(store, pki):
    signed(store, pki)
    out = store.path("main.p12")
    assert "empty passphrase" in store.run(
        "export", "main", "-o", out, "--passphrase-file",
        passphrase(store, ""), code=1).err
    assert not os.path.exists(out)


def test_imports_and_exports_pem(store, pki):
    leaf = signed(store, pki)
    key = os.path.join(store.tls, "main", "key.pem")
    store.run("import", "pair", key, pki.middle.cert, leaf)
    assert store.served("pair") == [HOST, "Test Middle"]
    text = store.run("export", "main", "--pem").out
    assert text.count("BEGIN CERTIFICATE") == 2 and "PRIVATE" not in text
    text = store.run("export", "main", "--pem", "--with-key").out
    assert "BEGIN PRIVATE KEY" in text
    assert "no private key" in store.run("import", "x", leaf, code=1).err


def test_imports_an_encrypted_key_by_its_passphrase(store, pki):
    leaf = signed(store, pki)
    key = store.path("enc.key")
    openssl("pkcs8", "-topk8", "-in", os.path.join(store.tls, "main",
            "key.pem"), "-passout", "pass:secret", "-out", key)
    said = store.run("import", "x", leaf, key, "--passphrase-file",
                     passphrase(store, "wrong"), code=1).err
    assert "wrong passphrase" in said
    store.run("import", "x", leaf, key, "--passphrase-file",
              passphrase(store, "secret"))


# Chains

def put(store, *files):
    """As somebody left it who edited the file."""
    join(os.path.join(store.tls, "main", "cert.pem"), *files)


def test_finds_and_repairs_what_is_wrong_with_chains(store, pki):
    leaf = signed(store, pki)
    middle, root, other = (
        ca.cert for ca in (pki.middle, pki.root, pki.other))
    for files, words in (
            ((leaf, middle, middle), {"duplicate"}),
            ((leaf, middle, leaf), {"duplicate"}),
            ((leaf, middle, other), {"foreign"}),
            ((leaf, other, middle), {"foreign"}),
            ((middle, leaf), {"misordered"})):
        put(store, *files)
        assert store.words("main", code=1) == words
        assert store.words("main", "--fix") == set()
        assert store.served() == [HOST, "Test Middle"]
    put(store, leaf, middle, root)
    assert store.words("main") == {"root-included"}
    store.run("check", "main", "--fix")
    assert store.served() == [HOST, "Test Middle"]
    put(store, leaf)
    assert store.words("main", code=1) == {"missing-intermediate"}
    assert store.json("show", "main")["versions"] == 7


def test_a_missing_intermediate_is_taken_from_the_custom_list(store, pki):
    leaf = signed(store, pki)
    put(store, leaf)
    store.run("ca", "import", pki.middle.cert)
    assert store.words("main", "--fix") == set()
    assert store.served() == [HOST, "Test Middle"]


def test_finds_expired_and_untrusted_ones(store, pki):
    old = Ca("Old Middle", pki.root, when=PAST)
    leaf = old.sign(store.create(), store.path("leaf.pem"))
    store.run("upload", "main", leaf, old.cert)
    assert "expired" in store.words("main", code=1)
    late = pki.middle.sign(store.path("main.csr"), store.path("late.pem"),
                           when=PAST)
    store.run("upload", "main", late, pki.middle.cert)
    assert "expired" in store.words("main", code=1)
    assert "EXPIRED" in store.run("list").out
    far = Ca("Far Root")
    leaf = far.sign(store.path("main.csr"), store.path("far.pem"))
    join(os.path.join(store.tls, "main", "cert.pem"), leaf, far.cert)
    assert "untrusted" in store.words("main", code=1)


def test_a_self_signed_one_encrypts_but_does_not_verify(store):
    store.create()
    assert store.words("main") == {"self-signed"}
    assert not store.json("check", "main")["checks"][0]["verified"]


def test_finds_open_keys(store, pki):
    signed(store, pki)
    os.chmod(os.path.join(store.tls, "main", "key.pem"), 0o644)
    assert store.words("main", code=1) == {"key-mode"}


# Uses

def test_assigns_to_what_the_boot_file_has(pki):
    store = Store(pki, {"destination": {"peer.example": {"tls": "required"}}})
    store.create()
    store.create("second")
    for use in ("listener:in", "outbound", "https", "service:ldap"):
        store.run("assign", "main", use)
    store.run("assign", "second", "listener:in", "--first")
    uses = {c["name"]: c["uses"] for c in store.json("list")["certificates"]}
    assert uses["main"] == ["listener:in", "outbound", "https",
                            "service:ldap"]
    assert base.read_text(os.path.join(store.tls, "assign")).startswith(
        "listener:in\tsecond\n")
    for use in ("listener:out", "destination:other", "listener", "ldap",
                "service:a b"):
        store.run("assign", "main", use, code=1)
    assert "in use" in store.run("delete", "main", code=1).err
    assert "in use" in store.run("rename", "main", "x", code=1).err
    for use in ("listener:in", "outbound", "https", "service:ldap"):
        store.run("unassign", use, "main")
    store.run("rename", "main", "x")
    store.run("delete", "x")
    assert not os.path.exists(os.path.join(store.tls, "x"))
    store.run("unassign", "listener:in")
    store.run("unassign", "listener:in", code=1)


def test_what_the_boot_file_names_is_in_use(pki):
    store = Store(pki, {"listener": {"in": {"certificates": ["main"]}},
                        "delivery": {"certificate": "other"}})
    store.create()
    store.create("other")
    assert "boot file" in store.run("delete", "main", code=1).err
    assert "boot file" in store.run("delete", "other", code=1).err
    assert "listener:in (boot file)" in store.run("list").out


def test_warns_of_a_name_that_is_not_the_listeners(store):
    said = store.run("create", "main", "--cn", "www.example", "--key", "p256")
    assert "warning" in said.err and HOST in said.err
    assert HOST in store.run("assign", "main", "listener:in").err


# Three names

@pytest.mark.parametrize("mx, cert, interface, ok", [
    (HOST, HOST, HOST, (True, True, True)),
    ("other.example", HOST, HOST, (False, True, True)),
    (HOST, "other.example", HOST, (True, False, True)),
    (HOST, HOST, "other.example", (True, True, False)),
    ("a.example", "b.example", "c.example", (False, False, False)),
    (HOST, "*.relay.example", HOST, (True, True, True))])
def test_compares_three_names(pki, mx, cert, interface, ok):
    records = base.write_file(
        os.path.join(base.private_dir("zone"), "zone"),
        "d.example. 300 IN MX 10 %s.\n%s. 300 IN A 192.0.2.1\n" % (mx, mx))
    store = Store(pki, {"hostname": "system.example",
                        "dns": {"records": records},
                        "listener": {"in": {"banner_host": interface}}})
    store.run("create", "main", "--cn", cert, "--key", "p256")
    store.run("assign", "main", "listener:in")
    every = all(ok)
    code = 0 if every else 1
    row, = store.json("check", "--domain", "d.example", code=code)["rows"]
    assert (row["mx_ok"], row["certificate_ok"], row["interface_ok"]) == ok
    assert row["ok"] == every
    assert every or row["hints"]
    text = store.run("check", "--domain", "d.example", code=code).out
    assert text.count("FAIL") == ok.count(False)


def test_a_domain_that_is_none_fails(pki):
    records = base.write_file(
        os.path.join(base.private_dir("zone"), "zone"),
        ". 300 IN SOA a. b. 1 2 3 4 5\n")
    store = Store(pki, {"dns": {"records": records}})
    store.run("create", "main", "--cn", HOST, "--key", "p256")
    store.run("assign", "main", "listener:in")
    assert "no.example" in store.run("check", "--domain", "no.example",
                                     code=1).err


def test_a_common_name_alone_is_warned_of(store, pki):
    key, csr = store.path("cn.key"), store.path("cn.csr")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + HOST,
            "-keyout", key, "-out", csr)
    leaf = pki.middle.sign(csr, store.path("cn.pem"))
    store.run("import", "main", leaf, key, pki.middle.cert)
    assert store.words("main") == {"cn-only"}


# Lists of roots

def test_keeps_a_custom_list(store, pki):
    far, old = Ca("Far Root"), Ca("Old Root", when=PAST)
    below = Ca("Far Middle", far)
    said = store.run("ca", "import", old.cert, code=1).err
    assert "expired" in said
    said = store.run("ca", "import", below.cert, code=1).err
    assert "root" in said
    leaf = far.sign(store.create(), store.path("leaf.pem"))
    assert "CA:TRUE" in store.run("ca", "import", leaf, code=1).err
    assert store.json("ca", "list")["roots"] == []
    both = join(store.path("both.pem"), below.cert, far.cert)
    store.run("ca", "import", both)
    assert "already" in store.run("ca", "import", far.cert, code=1).err
    roots = store.json("ca", "list")["roots"]
    assert [r["subject"] for r in roots] == ["CN=Far Middle", "CN=Far Root"]
    assert store.json("ca", "list", "--system")["roots"][0]["subject"] == (
        "CN=Test Root")
    assert store.run("ca", "export").out.count("BEGIN CERTIFICATE") == 2
    out = store.path("system.pem")
    store.run("ca", "export", "--system", "-o", out)
    assert subjects(out) == ["Test Root"]
    store.run("upload", "main", leaf)
    assert store.json("check", "main")["checks"][0]["verified"]
    store.run("ca", "delete", roots[1]["sha256"][:16])
    store.run("ca", "delete", "1")
    store.run("ca", "delete", "1", code=1)
    assert store.json("ca", "list")["roots"] == []


def test_finds_certificates_of_acme_clients(pki):
    live = base.private_dir("live")
    folder = os.path.join(live, "mx.example")
    os.makedirs(folder)
    store = Store(pki, {"tls": {"directories": [live]}})
    store.create()
    for source, name in (("cert.pem", "fullchain.pem"),
                         ("key.pem", "privkey.pem")):
        join(os.path.join(folder, name), os.path.join(store.tls, "main",
                                                      source))
    entry = store.json("show", "mx.example")
    assert entry["directory"] == live
    store.run("assign", "mx.example", "listener:in")
    assert "in use" in store.run("delete", "mx.example", code=1).err
    store.run("unassign", "listener:in")
    assert "not ours" in store.run("delete", "mx.example", code=1).err
