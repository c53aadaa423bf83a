/*
 * SETUP of `postern destconfig`: the global settings.
 */
#include <stdio.h>
#include <string.h>

#include "cli/destconfig.h"
#include "cli/prompt.h"
#include "daemon/lister.h"
#include "tls/certlist.h"
#include "tls/certstore.h"

#define NONE "NONE"

int
destconfig_certificate(struct destconfig *dc, const char *name,
    struct err *why)
{
	const struct conf *c = destconfig_conf(dc, why);
	struct certlist *list = NULL;
	struct certstore *cs = NULL;
	const char *chain, *key;
	struct epoch *e = NULL;
	int r;

	if (c == NULL || epoch_read(&e, confedit_file(dc->ce), 1, why) != 0)
		return -1;
	/* What is missing then is told as a certificate that is not there. */
	(void)lister_run(e, &list, why);
	err_clear(why);
	epoch_destroy(&e);
	r = certstore_open(&cs, c->tls.store, list, why);
	if (r == 0) {
		r = certstore_find(cs, name, &chain, &key, why);
		certstore_close(&cs);
	}
	certlist_destroy(&list);
	return r;
}

/* Asked until it is one. now: "": none, which NONE stands for. NULL: the input
 * ended. */
static const char *
ask_certificate(struct destconfig *dc, const char *now)
{
	struct err why = ERR_INIT;
	const char *name;

	for (;;) {
		(void)putchar('\n');
		name = menu_ask(dc->pool, "Enter the name of the certificate "
		    "to show to other hosts, or " NONE ".",
		    now[0] != '\0' ? now : NONE);
		if (name == NULL || strcmp(name, now) == 0)
			return name;
		if (str_ieq_c(str_c(name), NONE))
			return "";
		if (destconfig_certificate(dc, name, &why) == 0)
			return name;
		(void)printf("%s\n", why.text);
		err_clear(&why);
	}
}

/* "" over what the boot file names. */
static const char *
no_certificate(struct destconfig *dc)
{
	const struct conf_object *boot = confedit_boot(dc->ce, "delivery", "");

	return boot != NULL && conf_object_get(boot, "certificate") != NULL ?
	    "\"\"" : "";
}

enum menu_step
destconfig_setup(struct destconfig *dc, struct err *why)
{
	const char *now = destconfig_now(dc, "delivery", "", "certificate");
	const char *alert = destconfig_now(dc, "delivery", "",
	    "alert_required_tls"), *name;
	bool was = alert != NULL && strcmp(alert, "true") == 0, want;
	bool end = false;

	now = now != NULL ? now : "";
	name = ask_certificate(dc, now);
	if (name == NULL)
		return MENU_END;
	(void)putchar('\n');
	want = prompt_yes_here(dc->pool, "Do you want to send an alert when a "
	    "required TLS connection fails?", was, &end);
	if (end)
		return MENU_END;
	if (strcmp(name, now) != 0 &&
	    confedit_set(dc->ce, "delivery", "", "certificate",
		name[0] != '\0' ? name : no_certificate(dc), why) != 0)
		return MENU_FAILED;
	if (want != was &&
	    confedit_set(dc->ce, "delivery", "", "alert_required_tls",
		want ? "yes" : "no", why) != 0)
		return MENU_FAILED;
	return menu_step(confedit_save(dc->ce, why));
}
