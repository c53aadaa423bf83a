/*
 * postern/cert_store.h - cert_store/1: where certificates come from.
 *
 * "cert_store/1.list": names every certificate it has, by list->add(). Asked at
 * start, at each reload and when something that list->watch() named has changed
 * (time, size or inode; looked at every tls.watch). It runs in a process of its
 * own that ends afterwards, with the rights of the user who started the relay
 * if the plugin is part of the program, else with those of the workers. It may
 * wait. Keys go to the keeper, workers never see them.
 *
 * The name is what listener.certificates, delivery.certificate and
 * destination.certificate say; certificates that an earlier store named win.
 */
#ifndef POSTERN_CERT_STORE_H
#define POSTERN_CERT_STORE_H

#include <postern/plugin.h>

#define PST_CERT_STORE_LIST "cert_store/1.list" /* struct pst_cert_list */

/* Files are absolute paths, texts PEM; of each pair one is NULL. */
struct pst_cert {
	uint32_t size;
	const char *name;
	const char *chain_file, *chain; /* the leaf first */
	const char *key_file, *key;
};

struct pst_cert_list {
	uint32_t size;
	int (*add)(struct pst_cert_list *list, const struct pst_cert *cert);
	int (*watch)(struct pst_cert_list *list, const char *path);
};

#endif
