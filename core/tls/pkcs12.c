#include "tls/pkcs12.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pkcs8.h>

#include "base/codec.h"
#include "tls/certpile_priv.h"
#include "tls/tlslib.h"

/* The MAC and the old ciphers are what those programs expect. */
#define LEGACY_ROUNDS 2048

static PKCS12 *make(const struct certpile *, const STACK_OF(X509) *,
    const char *, const char *, bool);

int
pkcs12_read(struct certpile *p, struct str der, const char *what,
    const char *passphrase, struct err *why)
{
	STACK_OF(X509) *certs;
	char reason[128];
	int r = -1;
	size_t i;
	CBS cbs;

	if (passphrase == NULL)
		return err_text(why, "%s: PKCS#12: a passphrase is needed",
		    what);
	certs = sk_X509_new_null();
	if (certs == NULL)
		fatal("out of memory");
	CBS_init(&cbs, (const uint8_t *)der.p, der.n);
	if (PKCS12_get_key_and_certs(&p->key, certs, &cbs, passphrase) != 1) {
		if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_PKCS8 &&
		    ERR_GET_REASON(ERR_peek_last_error()) ==
			PKCS8_R_INCORRECT_PASSWORD)
			(void)err_text(why, "%s: PKCS#12: wrong passphrase",
			    what);
		else
			(void)err_text(why, "%s: PKCS#12: %s", what,
			    tlslib_reason(reason, sizeof(reason),
				"unreadable"));
	} else if (p->key == NULL) {
		(void)err_text(why, "%s: PKCS#12 without a private key", what);
	} else {
		for (i = 0; i < sk_X509_num(certs); i++)
			certpile_add(p, sk_X509_value(certs, i));
		r = 0;
	}
	sk_X509_pop_free(certs, X509_free);
	ERR_clear_error();
	return r;
}

int
pkcs12_write(const struct certpile *p, const char *name,
    const char *passphrase, bool legacy, struct buf *der, bool *legacy_r,
    struct err *why)
{
	STACK_OF(X509) *rest;
	PKCS12 *made = NULL;
	uint8_t *out = NULL;
	char reason[128];
	unsigned i;
	int n, r = -1;

	if (passphrase == NULL || passphrase[0] == '\0')
		return err_text(why, "an empty passphrase protects nothing");
	if (!utf8_valid(str_c(passphrase)))
		return err_text(why, "the passphrase is not UTF-8");
	if (p->key == NULL || certpile_count(p) == 0)
		return err_text(why, "a certificate and its key are needed");
	rest = sk_X509_new_null();
	for (i = 1; rest != NULL && i < certpile_count(p); i++) {
		if (sk_X509_push(rest, certpile_x509(p, i)) == 0)
			fatal("out of memory");
	}
	if (!legacy)
		made = make(p, rest, name, passphrase, false);
	if (made == NULL &&
	    (legacy || ERR_GET_REASON(ERR_peek_last_error()) ==
		PKCS8_R_UNKNOWN_ALGORITHM)) {
		legacy = true;
		made = make(p, rest, name, passphrase, true);
	}
	n = made == NULL ? -1 : i2d_PKCS12(made, &out);
	if (n > 0)
		r = buf_add(der, out, (size_t)n);
	OPENSSL_free(out);
	PKCS12_free(made);
	sk_X509_free(rest);
	if (r != 0)
		return err_text(why, "making PKCS#12 failed: %s",
		    tlslib_reason(reason, sizeof(reason), "too large"));
	ERR_clear_error();
	*legacy_r = legacy;
	return 0;
}

static PKCS12 *
make(const struct certpile *p, const STACK_OF(X509) *rest, const char *name,
    const char *passphrase, bool legacy)
{
	int cipher = legacy ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC :
	    NID_aes_256_cbc;
	int rounds = legacy ? LEGACY_ROUNDS : PKCS12_ROUNDS;

	return PKCS12_create(passphrase, name, p->key, certpile_x509(p, 0),
	    rest, cipher, cipher, rounds, rounds, 0);
}
