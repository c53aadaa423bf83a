/*
 * `postern certconfig`: what the commands and the dialogue have in common.
 *
 * A function that does something returns 0 or -1 with why, and tells on
 * standard output what it did (as JSON if asked). Changes are in force at once;
 * certconfig_tell() lets a running relay take them.
 */
#ifndef CLI_CERTCONFIG_H
#define CLI_CERTCONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "policy/conf.h"
#include "tls/certchain.h"
#include "tls/certlist.h"
#include "tls/certmake.h"
#include "tls/certpile.h"
#include "tls/certstore.h"

struct certconfig {
	struct pool *pool;
	struct conf *conf;
	struct certlist *list; /* what plugins have */
	struct certstore *cs;
	struct certpile *system; /* delivery.ca_file; read when needed */
	struct certpile *custom; /* DIR/ca.pem */
	bool json;
	bool changed;
};

/* certconfig_files.c: what is read and written. */
int certconfig_open(struct certconfig *cc, const char *conf_file,
    struct err *why);
void certconfig_close(struct certconfig *cc);
/* A relay that runs takes the certificates anew; says whether it did. */
void certconfig_tell(struct certconfig *cc);
/* A file, or what a plugin gave as text. */
int certconfig_text(struct certconfig *cc, const char *path, struct buf *dst,
    struct err *why);
/* A certificate's chain and key as a pile. */
int certconfig_load(struct certconfig *cc, const struct certstore_entry *e,
    struct certpile **p_r, struct err *why);
/* The roots that are trusted: the system's and the custom list. */
int certconfig_roots(struct certconfig *cc, struct certpile *all,
    struct err *why);
int certconfig_lists(struct certconfig *cc, struct err *why);
/* Adds a file of strangers' making; asks for a passphrase if need be. */
int certconfig_read(struct certconfig *cc, struct certpile *p,
    const char *file, const char *passphrase, struct err *why);
/* file NULL or "-": standard output; else mode 0600 if secret. */
int certconfig_write(const char *file, struct str text, bool secret,
    struct err *why);

/* The first line of the file; else, if it is a new one, asked for twice. NULL:
 * none is known. */
int certconfig_passphrase(struct pool *pool, const char *file, bool is_new,
    const char **pass_r, struct err *why);

/* certconfig_use.c: which certificate serves what. */
int certconfig_check_use(const struct certconfig *cc, const char *use,
    struct err *why);
/* The i-th use of a name, by store or boot file; NULL: no more. */
const char *certconfig_use_of(const struct certconfig *cc, const char *name,
    unsigned i, bool *boot_r);
/* The i-th listener that shows a demonstration certificate because it has no
 * other; NULL: no more. */
const char *certconfig_default_of(struct certconfig *cc, const char *name,
    unsigned i);
const char *certconfig_interface(const struct certconfig *cc,
    const struct conf_listener *l);
/* Warnings for a use: names that do not fit, a demonstration certificate. */
void certconfig_warn_use(struct certconfig *cc, const char *name,
    const char *use);
/* A warning for a certificate that fits no listener. */
void certconfig_warn_name(struct certconfig *cc, const char *name);
int certconfig_assign(struct certconfig *cc, const char *name,
    const char *use, bool first, struct err *why);
int certconfig_unassign(struct certconfig *cc, const char *use,
    const char *name, struct err *why);
/* The host's name, the certificate's, the interface's. *ok_r: all agree. */
int certconfig_names(struct certconfig *cc, const char *domain,
    const char *name, bool *ok_r, struct err *why);

/* certconfig_show.c: what is there. */
int certconfig_list(struct certconfig *cc, struct err *why);
int certconfig_show(struct certconfig *cc, const char *name, struct err *why);
/* name NULL: all. *ok_r: nothing failed. */
int certconfig_check(struct certconfig *cc, const char *name, bool fix,
    bool *ok_r, struct err *why);
void certconfig_findings(const struct certconfig *cc,
    const struct certchain *c, json_t *into);
void certconfig_date(char *dst, size_t n, msec wall);
void certconfig_print(json_t *o); /* steals o */

/* certconfig_act.c: changes of certificates. */
int certconfig_create(struct certconfig *cc, const char *name,
    struct certmake *m, struct err *why);
int certconfig_upload(struct certconfig *cc, const char *name,
    char *const *file, int nfile, bool keep, const char *passphrase,
    struct err *why);
int certconfig_renew(struct certconfig *cc, const char *name,
    const char *file, struct err *why);
int certconfig_csr(struct certconfig *cc, const char *name, const char *file,
    struct err *why);
int certconfig_restore(struct certconfig *cc, const char *name,
    unsigned version, struct err *why);
int certconfig_import(struct certconfig *cc, const char *name,
    char *const *file, int nfile, const char *passphrase, struct err *why);
enum certconfig_format { CERTCONFIG_PEM, CERTCONFIG_PEM_KEY,
	CERTCONFIG_PKCS12, CERTCONFIG_PKCS12_LEGACY };
int certconfig_export(struct certconfig *cc, const char *name,
    enum certconfig_format format, const char *passphrase, const char *file,
    struct err *why);
int certconfig_rename(struct certconfig *cc, const char *name, const char *to,
    struct err *why);
int certconfig_delete(struct certconfig *cc, const char *name,
    struct err *why);

/* certconfig_ca.c: lists of roots. */
int certconfig_ca_list(struct certconfig *cc, bool system, struct err *why);
int certconfig_ca_import(struct certconfig *cc, char *const *file, int nfile,
    struct err *why);
int certconfig_ca_delete(struct certconfig *cc, const char *which,
    struct err *why);
int certconfig_ca_export(struct certconfig *cc, bool system, const char *file,
    struct err *why);

/* certconfig_menu.c: the dialogue. Returns the exit status. */
int certconfig_menu(struct certconfig *cc);

#endif
