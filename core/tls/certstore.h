/*
 * The certificate store: named certificates with their keys, requests, earlier
 * versions and uses, in a directory of files (postern-certconfig(8)).
 *
 *     DIR/<name>/cert.pem    served chain: the leaf, then intermediates
 *     DIR/<name>/key.pem     private key, mode 0600
 *     DIR/<name>/csr.pem     request for the key, if there is one
 *     DIR/<name>/old/N.pem   earlier chains
 *     DIR/assign             a line "USE<TAB>name" for each use (certmap.h)
 *     DIR/ca.pem             the administrator's own list of roots
 *
 * <name> is percent-encoded where a file name forbids an octet. Changes are
 * made by renaming whole files while DIR is locked, so that a reader never
 * sees half of one. A name's key never changes: another key is another name.
 * Certificates of plugins (certlist.h) can be found and assigned as well, but
 * are never written; the store's own of the same name wins.
 *
 * DIR may be in a directory of somebody else's (the spool is the workers').
 * DIR, its folders and keys must belong to us or root, must not be writable by
 * others, and none may be a symbolic link; else all is refused.
 */
#ifndef TLS_CERTSTORE_H
#define TLS_CERTSTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define CERTSTORE_DEFAULT "Default certificate"	      /* RSA-4096 */
#define CERTSTORE_DEFAULT_EC "Default certificate (ECDSA)" /* P-256 */
#define CERTSTORE_NAME_MAX 120
#define CERTSTORE_FILE_MAX (4 * 1024 * 1024)

struct certlist;
struct certstore;

/* A directory that is not there is an empty store; errors name file and
 * cause. list: what plugins have; stays the caller's, may be NULL. */
int certstore_open(struct certstore **cs_r, const char *dir,
    const struct certlist *list, struct err *why);
void certstore_close(struct certstore **csp);
const char *certstore_dir(const struct certstore *cs);

/* The files of a certificate, for certlist_read(); -1: there is none of that
 * name, or it has no certificate yet. Strings are the store's or the list's. */
int certstore_find(struct certstore *cs, const char *name,
    const char **chain_r, const char **key_r, struct err *why);
/* The i-th name assigned to a use, the default first; NULL: no more. */
const char *certstore_assigned(const struct certstore *cs, const char *use,
    unsigned i);
/* The i-th line of DIR/assign; false: no more. */
bool certstore_use(const struct certstore *cs, unsigned i,
    const char **use_r, const char **name_r);
/*
 * Makes the demonstration certificates that are missing, for hostname, valid
 * for ten years, self-signed with SHA-256. The ECDSA twin takes a millisecond;
 * the RSA-4096 one up to some seconds, so rsa asks for it and is not for an
 * event loop. *made_r tells whether anything was written.
 */
int certstore_make_default(struct certstore *cs, const char *hostname,
    bool rsa, bool *made_r, struct err *why);
bool certstore_is_default(const char *name);

/* One certificate as a list shows it. */
struct certstore_entry {
	const char *name;
	const char *chain, *key; /* paths */
	const char *csr;	 /* path, NULL: none */
	const char *directory;	 /* certlist_origin(); NULL: ours */
	unsigned versions;	 /* earlier chains: old/1.pem to old/N.pem */
};

/* All of them, the store's own first, by name. */
int certstore_list(struct certstore *cs, struct certstore_entry **v_r,
    unsigned *n_r, struct err *why);
int certstore_entry(struct certstore *cs, const char *name,
    struct certstore_entry *e_r, struct err *why);
/* Where the file of that version is, which need not exist. */
const char *certstore_version_path(struct certstore *cs, const char *name,
    unsigned version);
int certstore_check_name(const char *name, struct err *why);

/*
 * Changes. All are done, or not at all, whenever the process ends: files are
 * written beside and renamed, durable on return. csr empty: none.
 */
int certstore_add(struct certstore *cs, const char *name, struct str chain,
    struct str key, struct str csr, struct err *why);
/* The present chain becomes the highest version: *version_r. */
int certstore_set_chain(struct certstore *cs, const char *name,
    struct str chain, unsigned *version_r, struct err *why);
int certstore_set_csr(struct certstore *cs, const char *name, struct str csr,
    struct err *why);
int certstore_rename(struct certstore *cs, const char *name, const char *to,
    struct err *why);
/* Refused while a use has it. */
int certstore_delete(struct certstore *cs, const char *name, struct err *why);
/* Behind those the use has; first: before them. */
int certstore_assign(struct certstore *cs, const char *use, const char *name,
    bool first, struct err *why);
/* name NULL: all of the use. */
int certstore_unassign(struct certstore *cs, const char *use,
    const char *name, struct err *why);
/* The administrator's roots: DIR/ca.pem, which is not there while the list is
 * empty. */
const char *certstore_ca_path(const struct certstore *cs);
int certstore_set_ca(struct certstore *cs, struct str pem, struct err *why);

#endif
