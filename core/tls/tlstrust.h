/*
 * What is trusted: roots, and lists of what was revoked. Counted; parsed once
 * per worker and generation, shared by all contexts and destinations.
 *
 * Expired roots are left out and told of (tlstrust_note). A root need not be
 * self-signed: what the administrator lists is trusted (partial chains). Each
 * certificate of a chain is looked up in the list of its issuer, if one is
 * there; without one for the leaf's issuer, revocation was not checked, and
 * tls_info says so. A list that is out of date fails what it is for.
 */
#ifndef TLS_TLSTRUST_H
#define TLS_TLSTRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct tlstrust;
struct x509_store_st; /* X509_STORE */
struct x509_st;	      /* X509 */

/* Trusts nothing. */
struct tlstrust *tlstrust_new(void);
/*
 * Adds each certificate or CRL of a PEM file (what: its name in errors and
 * notes). A file with none, or with damaged PEM, is an error, and so is a list
 * that cannot be read; a certificate that cannot is left out and told of.
 */
int tlstrust_roots(struct tlstrust *t, struct str pem, const char *what,
    struct err *why);
int tlstrust_crls(struct tlstrust *t, struct str pem, const char *what,
    struct err *why);
struct tlstrust *tlstrust_ref(struct tlstrust *t);
void tlstrust_unref(struct tlstrust **tp);
unsigned tlstrust_count(const struct tlstrust *t); /* roots that count */
/* What was left out and why, a line each; NULL: no more. */
const char *tlstrust_note(const struct tlstrust *t, unsigned i);
struct x509_store_st *tlstrust_store(const struct tlstrust *t);
/* Is a list of the certificate's issuer there? */
bool tlstrust_has_crl(const struct tlstrust *t, const struct x509_st *x);

#endif
