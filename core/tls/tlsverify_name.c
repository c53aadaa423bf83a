#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/codec.h"
#include "mail/addr.h"
#include "tls/tlsverify.h"

/* The names of a leaf. */
struct names {
	GENERAL_NAMES *san; /* NULL: none that could be read */
	bool has_san;	    /* the extension is there, whatever is in it */
	bool cn_counts;	    /* nobody above has constrained names */
	char cn[TLSVERIFY_NAME_MAX + 1]; /* "" none that is a name */
};

static void get_names(STACK_OF(X509) *chain, struct names *n);
static void get_cn(X509 *leaf, struct names *n);
static void add_word(struct buf *dst, struct str word, bool *any);
static bool constrained(STACK_OF(X509) *chain);
static bool ref_matches(
    const struct names *n, const struct tlsref *ref, bool *by_cn_r);
static bool in_san(const struct names *n, struct str name);
static bool is_ip(const GENERAL_NAME *g, const unsigned char *ip, int size);
static bool is_ref(struct str s);
static bool name_chars(struct str s);
static struct str no_dot(struct str s);

const struct tlsref *
tlsverify_name(STACK_OF(X509) *chain, const struct tlsref *refs, bool *by_cn_r)
{
	const struct tlsref *found = NULL;
	struct names n;

	get_names(chain, &n);
	for (; refs != NULL && refs->name.p != NULL && found == NULL; refs++) {
		if (ref_matches(&n, refs, by_cn_r))
			found = refs;
	}
	GENERAL_NAMES_free(n.san);
	ERR_clear_error();
	return found;
}

void
tlsverify_mismatch(STACK_OF(X509) *chain, const struct tlsref *refs,
    char *dst, size_t n)
{
	const ASN1_STRING *s;
	const GENERAL_NAME *g;
	struct buf text;
	struct names names;
	bool any = false;
	size_t i;

	get_names(chain, &names);
	buf_init(&text, n - 1);
	for (; refs != NULL && refs->name.p != NULL; refs++)
		add_word(&text, refs->name, &any);
	if (!any)
		(void)buf_add_c(&text, "no name");
	(void)buf_add_c(&text, " != ");
	any = false;
	for (i = 0; names.san != NULL && i < sk_GENERAL_NAME_num(names.san);
	     i++) {
		g = sk_GENERAL_NAME_value(names.san, i);
		s = g->d.dNSName;
		if (g->type == GEN_DNS)
			add_word(&text,
			    str_n((const char *)ASN1_STRING_get0_data(s),
				(size_t)ASN1_STRING_length(s)), &any);
	}
	if (!any && names.cn[0] != '\0')
		add_word(&text, str_c(names.cn), &any);
	if (!any)
		(void)buf_add_c(&text, "no name");
	(void)str_copy(dst, n, buf_str(&text));
	buf_fini(&text);
	GENERAL_NAMES_free(names.san);
	ERR_clear_error();
}

/* What does not fit is left out; what is no name of a host is not repeated. */
static void
add_word(struct buf *dst, struct str word, bool *any)
{
	if (word.n + 2 > dst->max - buf_len(dst))
		return;
	if (*any)
		(void)buf_add_c(dst, ", ");
	*any = true;
	if (name_chars(word) ||
	    (word.n > 2 && word.p[0] == '*' &&
		name_chars(str_n(word.p + 2, word.n - 2))))
		(void)buf_add_str(dst, word);
	else
		(void)buf_add_c(dst, "?");
}

/*
 * A wildcard is the whole left-most label, stands for one label, and has two
 * more behind it (RFC 9525 6.3 asks for less; "*.example" is nobody's).
 */
bool
tlsverify_dns(struct str presented, struct str ref)
{
	struct str p = no_dot(presented), rest;
	size_t dot;

	ref = no_dot(ref);
	if (p.n == 0 || p.n > ADDR_DOMAIN_MAX || !is_ref(ref))
		return false;
	rest = p;
	if (p.p[0] == '*') {
		if (p.n < 3 || p.p[1] != '.')
			return false;
		rest = str_n(p.p + 2, p.n - 2);
		dot = str_find(rest, '.');
		if (dot == 0 || dot + 1 >= rest.n)
			return false;
	}
	if (!name_chars(rest))
		return false;
	if (ref.p[0] == '.')
		return p.n > ref.n &&
		       str_ieq(str_n(p.p + p.n - ref.n, ref.n), ref);
	if (rest.n == p.n)
		return str_ieq(p, ref);
	dot = str_find(ref, '.');
	return dot > 0 && dot < ref.n &&
	       str_ieq(str_n(ref.p + dot + 1, ref.n - dot - 1), rest);
}

static void
get_names(STACK_OF(X509) *chain, struct names *n)
{
	X509 *leaf = sk_X509_value(chain, 0);

	n->san = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	n->has_san = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) >= 0;
	n->cn_counts = !constrained(chain);
	n->cn[0] = '\0';
	get_cn(leaf, n);
}

/* The last is the most specific (RFC 6125 2.3.1, while CNs were names). */
static void
get_cn(X509 *leaf, struct names *n)
{
	X509_NAME *subject = X509_get_subject_name(leaf);
	unsigned char *utf8 = NULL;
	struct str cn;
	int at = -1, i, len;

	while ((i = X509_NAME_get_index_by_NID(
		    subject, NID_commonName, at)) >= 0)
		at = i;
	if (at < 0)
		return;
	len = ASN1_STRING_to_UTF8(&utf8,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len < 0)
		return;
	cn = no_dot(str_n((const char *)utf8, (size_t)len));
	if (name_chars(cn))
		(void)str_copy(n->cn, sizeof(n->cn), cn);
	OPENSSL_free(utf8);
}

/* A CA that may issue for some names only is held to them in the SANs, but
 * could write any CN. */
static bool
constrained(STACK_OF(X509) *chain)
{
	size_t i;

	for (i = 1; i < sk_X509_num(chain); i++) {
		if (X509_get_ext_by_NID(sk_X509_value(chain, i),
			NID_name_constraints, -1) >= 0)
			return true;
	}
	return false;
}

static bool
ref_matches(const struct names *n, const struct tlsref *ref, bool *by_cn_r)
{
	char text[ADDR_DOMAIN_MAX + 2];
	struct str name = no_dot(ref->name);
	bool cn_too = ref->how == TLSREF_CN ||
		      (ref->how == TLSREF_SAN_OR_CN && !n->has_san);

	if (name.n == 0 || name.n > ADDR_DOMAIN_MAX + 1 ||
	    str_find(name, '\0') < name.n)
		return false;
	name = domain_fold(name, text, sizeof(text));
	*by_cn_r = false;
	if (ref->how != TLSREF_CN && in_san(n, name))
		return true;
	if (!cn_too || !n->cn_counts || n->cn[0] == '\0')
		return false;
	*by_cn_r = true;
	return str_ieq_c(name, n->cn);
}

static bool
in_san(const struct names *n, struct str name)
{
	unsigned char ip[16];
	char text[INET6_ADDRSTRLEN];
	const ASN1_STRING *s;
	const GENERAL_NAME *g;
	int size = 0;
	size_t i;

	if (n->san == NULL)
		return false;
	if (str_copy(text, sizeof(text), name)) {
		if (inet_pton(AF_INET, text, ip) == 1)
			size = 4;
		else if (inet_pton(AF_INET6, text, ip) == 1)
			size = 16;
	}
	for (i = 0; i < sk_GENERAL_NAME_num(n->san); i++) {
		g = sk_GENERAL_NAME_value(n->san, i);
		if (size > 0) {
			if (is_ip(g, ip, size))
				return true;
			continue;
		}
		if (g->type != GEN_DNS)
			continue;
		s = g->d.dNSName;
		if (tlsverify_dns(str_n((const char *)ASN1_STRING_get0_data(s),
				      (size_t)ASN1_STRING_length(s)),
			name))
			return true;
	}
	return false;
}

static bool
is_ip(const GENERAL_NAME *g, const unsigned char *ip, int size)
{
	return g->type == GEN_IPADD &&
	       ASN1_STRING_length(g->d.iPAddress) == size &&
	       memcmp(ASN1_STRING_get0_data(g->d.iPAddress), ip,
		   (size_t)size) == 0;
}

static bool
is_ref(struct str s)
{
	if (s.n > 1 && s.p[0] == '.')
		s = str_n(s.p + 1, s.n - 1);
	return name_chars(s);
}

/* Labels that are not empty, of letters, digits, hyphens and, because some
 * hosts have them, underscores: no NUL, no star, no UTF-8. */
static bool
name_chars(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > ADDR_DOMAIN_MAX || s.p[0] == '.' ||
	    s.p[s.n - 1] == '.')
		return false;
	for (i = 0; i < s.n; i++) {
		if (!ch_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
		    (s.p[i] != '.' || s.p[i - 1] == '.'))
			return false;
	}
	return true;
}

static struct str
no_dot(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}
