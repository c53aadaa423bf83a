/*
 * Private to core/host: what a file that was loaded exports besides its
 * descriptor, by its whole dynamic symbol table.
 */
#ifndef HOST_EXPORTS_H
#define HOST_EXPORTS_H

#include <postern/plugin.h>

struct exports {
	unsigned tls;	     /* names of a TLS library */
	unsigned others;     /* other names */
	char tls_names[128]; /* "SSL_new and 3 more" */
	char other_names[128];
};

/* p: the descriptor, in the file; name: the plugin's. */
void exports_look(struct exports *e, const struct pst_plugin *p,
    const char *name);

#endif
