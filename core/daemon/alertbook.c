#include "daemon/alertbook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/control.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"

#define ALERTBOOK_MAGIC 0xa1e47b00u
#define FILE_MAX ((size_t)16 * 1024 * 1024)
#define KEPT_DETAIL 4000 /* octets of an alert */

struct alertbook {
	unsigned magic;
	char *path;
	json_t *alerts;
	int changed;
};

static char *
path_of(const char *spool)
{
	size_t n = strlen(spool) + sizeof("/alerts");
	char *path = mem_alloc(n);

	(void)snprintf(path, n, "%s/alerts", spool);
	return path;
}

struct alertbook *
alertbook_new(const char *spool)
{
	struct alertbook *b;

	OBJ_NEW(b, ALERTBOOK_MAGIC);
	b->path = path_of(spool);
	b->alerts = json_array();
	return b;
}

void
alertbook_destroy(struct alertbook **bp)
{
	struct alertbook *b = *bp;

	if (b == NULL)
		return;
	OBJ_CHECK(b, ALERTBOOK_MAGIC);
	json_decref(b->alerts);
	mem_free(b->path);
	OBJ_FREE(b);
	*bp = NULL;
}

static int
read_fd(int fd, const char *path, json_t **j_r, struct err *why)
{
	json_error_t error;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(why, "%s", path);
	if (file_guard(path, &st, S_IFREG, why) != 0)
		return -1;
	if ((size_t)st.st_size > FILE_MAX)
		return err_text(why, "%s: larger than %zu bytes", path,
		    FILE_MAX);
	*j_r = json_loadfd(fd, 0, &error);
	if (*j_r == NULL || !json_is_object(*j_r)) {
		json_decref(*j_r);
		return err_text(why, "%s: is not what we wrote: %s", path,
		    error.text);
	}
	return 0;
}

static json_t *
read_file(const char *path, struct err *why)
{
	json_t *j = NULL;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT)
		return json_pack("{s:[], s:[]}", "alerts", "episodes");
	if (fd == -1) {
		(void)err_errno(why, "%s", path);
		return NULL;
	}
	rc = read_fd(fd, path, &j, why);
	(void)close(fd);
	return rc == 0 ? j : NULL;
}

json_t *
alertbook_read(const char *spool, struct err *why)
{
	char *path = path_of(spool);
	json_t *j = read_file(path, why);

	mem_free(path);
	return j;
}

int
alertbook_load(struct alertbook *b, json_t **episodes_r, struct err *why)
{
	json_t *j = read_file(b->path, why);
	const json_t *x;
	size_t i;

	*episodes_r = NULL;
	if (j == NULL)
		return -1;
	json_array_foreach(json_object_get(j, "alerts"), i, x) {
		if (json_is_object(x))
			(void)json_array_append(b->alerts,
			    (json_t *)(uintptr_t)x);
	}
	*episodes_r = json_incref(json_object_get(j, "episodes"));
	json_decref(j);
	return 0;
}

static int
same(const json_t *x, const json_t *y, const char *name)
{
	const json_t *a = json_object_get(x, name);

	return a != NULL && json_equal(a, json_object_get(y, name));
}

/* An earlier update of that episode says nothing any more. */
static void
forget_update(struct alertbook *b, const json_t *alert)
{
	const char *state = control_text(alert, "state");
	size_t i = json_array_size(b->alerts);
	const json_t *x;

	if (state == NULL || strcmp(state, "updated") != 0)
		return;
	while (i-- > 0) {
		x = json_array_get(b->alerts, i);
		if (!same(x, alert, "episode"))
			continue;
		if (same(x, alert, "state"))
			(void)json_array_remove(b->alerts, i);
		return;
	}
}

void
alertbook_add(struct alertbook *b, const json_t *alert, int told)
{
	json_t *x = json_copy((json_t *)(uintptr_t)alert);
	const char *detail = control_text(alert, "detail");

	OBJ_CHECK(b, ALERTBOOK_MAGIC);
	(void)json_object_del(x, "type");
	(void)json_object_set_new(x, "told", json_boolean(told));
	if (detail != NULL && strlen(detail) > KEPT_DETAIL)
		(void)json_object_set_new(x, "detail", json_stringn_nocheck(
		    detail, KEPT_DETAIL));
	forget_update(b, alert);
	if (json_array_size(b->alerts) == ALERTBOOK_KEPT)
		(void)json_array_remove(b->alerts, 0);
	(void)json_array_append_new(b->alerts, x);
	b->changed = 1;
}

int
alertbook_changed(const struct alertbook *b)
{
	return b->changed;
}

static int
add_text(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}

int
alertbook_save(struct alertbook *b, json_t *episodes, struct err *why)
{
	json_t *j = json_pack("{s:O, s:o}", "alerts", b->alerts, "episodes",
	    episodes);
	struct buf text;
	int rc = 0;

	OBJ_CHECK(b, ALERTBOOK_MAGIC);
	buf_init(&text, FILE_MAX);
	if (json_dump_callback(j, add_text, &text, JSON_COMPACT) != 0)
		rc = err_text(why, "%s: cannot be written as JSON", b->path);
	else
		rc = file_replace(b->path, buf_p(&text), buf_len(&text), 0600,
		    why);
	buf_fini(&text);
	json_decref(j);
	if (rc == 0)
		b->changed = 0;
	return rc;
}
