#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct place *
places_find(const struct places *ps, const char *name, int64_t now)
{
	unsigned i;

	for (i = 0; i < PLACES; i++) {
		if (ps->v[i].until > now && strcmp(ps->v[i].name, name) == 0)
			return &ps->v[i];
	}
	return NULL;
}

void
places_keep(struct places *ps, const struct place *p, int64_t now)
{
	unsigned i, to = 0;

	for (i = 0; i < PLACES; i++) {
		if (strcmp(ps->v[i].name, p->name) == 0) {
			to = i;
			break;
		}
		if (ps->v[i].until < ps->v[to].until)
			to = i;
	}
	ps->v[to] = *p;
	ps->v[to].until = now + PLACE_LIFE;
}

void
places_forget(struct places *ps, const char *name)
{
	unsigned i;

	for (i = 0; i < PLACES; i++) {
		if (strcmp(ps->v[i].name, name) == 0)
			ps->v[i].until = 0;
	}
}

void
place_add(struct place *p, const char *ip, long port)
{
	char text[sizeof(p->target[0])];
	unsigned i;

	(void)snprintf(text, sizeof(text), strchr(ip, ':') != NULL ?
	    "[%s]:%ld" : "%s:%ld", ip, port);
	for (i = 0; i < p->n; i++) {
		if (strcmp(p->target[i], text) == 0)
			return;
	}
	if (p->n < PLACE_HOSTS)
		memcpy(p->target[p->n++], text, sizeof(text));
}

long
place_server(const char *server, long port, char *host, size_t n)
{
	const char *colon = strrchr(server, ':'), *end;

	end = server + strlen(server);
	if (colon != NULL && (strchr(server, ':') == colon ||
	    (colon > server && colon[-1] == ']'))) {
		port = strtol(colon + 1, NULL, 10);
		end = colon;
	}
	if (*server == '[') {
		server++;
		if (end > server && end[-1] == ']')
			end--;
	}
	(void)snprintf(host, n, "%.*s", (int)(end - server), server);
	return port;
}
