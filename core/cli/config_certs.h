/*
 * The certificates of a saved configuration: each with its chain and key as
 * PKCS#12 under a passphrase, its request and its uses; and the own list of
 * roots. The demonstration certificates are not saved: every relay makes its
 * own.
 */
#ifndef CLI_CONFIG_CERTS_H
#define CLI_CONFIG_CERTS_H

#include "cli/confedit.h"

struct config_certs;

/* The passphrase is asked for unless pass_file has it. */
int config_certs_save(struct confedit *ce, const char *pass_file,
    struct buf *dst, struct err *why);
/* Adds those of the text that are not there; none if one cannot be. One that
 * is there must have that key. *certs_r is to be closed, whatever becomes of
 * it. */
int config_certs_load(struct config_certs **certs_r, struct confedit *ce,
    const char *file, struct str text, const char *pass_file,
    struct err *why);
/* Their uses and the roots, which are for the commit (cli/config_wait.h). */
int config_certs_rest(struct config_certs *c, struct buf *dst,
    struct err *why);
/* Those that were added are removed. */
void config_certs_undo(struct config_certs *c);
void config_certs_close(struct config_certs **cp);

#endif
