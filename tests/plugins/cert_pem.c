/*
 * A certificate store that hands out texts, for tests.
 *
 *	plugin "cert_pem" { folder = "/some/where" }
 *
 * folder has pairs NAME.pem and NAME.key; the folder is watched. A file "does"
 * in it says what it does besides:
 *
 *	wait		tells all after a moment
 *	crash		ends the process by SIGSEGV after the first pair
 *	exit		ends it by itself
 *	fail		says that it cannot
 *	late		waits until it is too late for its timeout
 *	neither		names one without a key
 *	relative	names one with a relative path
 */
#include <postern/cert_store.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 100000, PATH_SIZE = 1000 };

struct conf {
	const char *folder;
};

static const struct pst_option options[] = {
	PST_PATH(struct conf, folder, NULL, "where the pairs are"),
	PST_END
};

static const char *
text_of(struct pst_event *ev, const char *name, const char *end)
{
	const struct conf *c = ev->conf;
	char path[PATH_SIZE], *text;
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s%s", c->folder, name, end);
	f = fopen(path, "r");
	text = pst_alloc(ev, PST_EVENT, TEXT_MAX);
	if (f == NULL || text == NULL)
		return NULL;
	n = fread(text, 1, TEXT_MAX - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return text;
}

static bool
does(struct pst_event *ev, const char *what)
{
	const char *text = text_of(ev, "does", "");

	return text != NULL && strncmp(text, what, strlen(what)) == 0;
}

static void
add_pair(struct pst_event *ev, const char *file)
{
	struct pst_cert_list *list = ev->arg;
	struct pst_cert cert = { .size = sizeof(cert) };
	char name[PATH_SIZE];

	(void)snprintf(name, sizeof(name), "%s", file);
	name[strlen(name) - strlen(".pem")] = '\0';
	cert.name = name;
	cert.chain = text_of(ev, name, ".pem");
	cert.key = text_of(ev, name, ".key");
	if (does(ev, "neither"))
		cert.key = NULL;
	if (does(ev, "relative")) {
		cert.key = NULL;
		cert.key_file = "key.pem";
	}
	(void)list->add(list, &cert);
	if (does(ev, "crash"))
		(void)raise(SIGSEGV);
}

static enum pst_verdict
tell(struct pst_event *ev, const struct pst_result *res)
{
	struct pst_cert_list *list = ev->arg;
	const struct conf *c = ev->conf;
	const struct dirent *d;
	const char *end;
	DIR *dir;

	(void)res;
	(void)list->watch(list, c->folder);
	dir = opendir(c->folder);
	if (dir == NULL || does(ev, "fail"))
		return pst_tempfail(ev, 451, "4.3.0", "no pairs today");
	while ((d = readdir(dir)) != NULL) {
		end = strrchr(d->d_name, '.');
		if (end != NULL && strcmp(end, ".pem") == 0)
			add_pair(ev, d->d_name);
	}
	(void)closedir(dir);
	pst_log(ev, PST_INFO, "%s has told", ev->instance);
	return PST_CONTINUE;
}

static enum pst_verdict
on_list(struct pst_event *ev)
{
	if (does(ev, "exit"))
		_Exit(3);
	if (does(ev, "late"))
		return pst_timer(ev, 3600000, tell);
	return does(ev, "wait") ? pst_timer(ev, 20, tell) : tell(ev, NULL);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_CERT_STORE_LIST, on_list),
	PST_END
};

PST_PLUGIN(cert_pem, .version = "1.0", .summary = "Certificates as texts",
	   .license = "MIT", .hooks = hooks, .options = options,
	   .conf_size = sizeof(struct conf));
