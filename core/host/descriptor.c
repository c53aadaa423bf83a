/*
 * A plugin's descriptor of our major: can it be right?
 *
 * It may come from a compiler and a year that are not ours, so nothing behind
 * a size is touched and everything is copied into our own shape once.
 */
#include "host/host_priv.h"

#include "base/mem.h"
#include "host/option.h"

#define HOOKS_MAX 256
#define OPTIONS_MAX 512
#define CONF_SIZE_MAX (1024 * 1024)
/* What there was in ABI 1.0. */
#define PLUGIN_SIZE_MIN                                                        \
	(offsetof(struct pst_plugin, check) + sizeof(void *))
#define HOOK_SIZE_MIN (offsetof(struct pst_hook, after) + sizeof(char *))
#define OPTION_SIZE_MIN (offsetof(struct pst_option, help) + sizeof(char *))

static int	check_sizes(const struct pst_plugin *, const char *,
		    struct err *);
static int	read_hooks(struct pool *, struct pst_plugin *,
		    const struct pst_plugin *, struct err *);
static int	check_hook(const struct pst_hook *, unsigned, struct err *);
static int	read_options(struct pool *, struct pst_plugin *,
		    const struct pst_plugin *, struct err *);

const struct pst_plugin *
descriptor_read(struct pool *pool, const struct pst_plugin *p,
    const char *name, struct err *why)
{
	struct pst_plugin *copy;

	if (check_sizes(p, name, why) != 0)
		return NULL;
	copy = POOL_NEW(pool, struct pst_plugin);
	memcpy(copy, p, p->size < sizeof(*copy) ? p->size : sizeof(*copy));
	if (copy->version == NULL)
		copy->version = "";
	if (copy->summary == NULL)
		copy->summary = "";
	if (copy->license == NULL)
		copy->license = "";
	if (read_hooks(pool, copy, p, why) != 0 ||
	    read_options(pool, copy, p, why) != 0) {
		(void)err_prefix(why, "plugin \"%s\": ", name);
		return NULL;
	}
	return copy;
}

static int
check_sizes(const struct pst_plugin *p, const char *name, struct err *why)
{
	if (p->size < PLUGIN_SIZE_MIN || p->hook_size < HOOK_SIZE_MIN ||
	    p->option_size < OPTION_SIZE_MIN)
		return err_text(why, "plugin \"%s\": its descriptor is too "
		    "small (%u, %u, %u octets)", name, p->size, p->hook_size,
		    p->option_size);
	if (p->name == NULL || strcmp(p->name, name) != 0)
		return err_text(why, "plugin \"%s\" calls itself \"%.64s\": it "
		    "was renamed", name, p->name == NULL ? "" : p->name);
	if (p->conf_size > CONF_SIZE_MAX)
		return err_text(why, "plugin \"%s\": conf_size is %u", name,
		    p->conf_size);
	return 0;
}

/* The i-th of elements that may be smaller or larger than ours. */
static void
element(void *dst, size_t n, const void *v, unsigned i, size_t stride)
{
	memset(dst, 0, n);
	memcpy(dst, (const char *)v + i * stride, stride < n ? stride : n);
}

static int
read_hooks(struct pool *pool, struct pst_plugin *copy,
    const struct pst_plugin *p, struct err *why)
{
	struct pst_hook h, *v;
	bool has[ON_COUNT] = { false };
	unsigned n;
	int on;

	copy->hook_size = sizeof(h);
	copy->hooks = NULL;
	if (p->hooks == NULL)
		return 0;
	for (n = 0; n < HOOKS_MAX; n++) {
		element(&h, sizeof(h), p->hooks, n, p->hook_size);
		if (h.on == NULL)
			break;
		if (check_hook(&h, n, why) != 0)
			return -1;
		on = on_find(h.on);
		if (has[on])
			return err_text(why, "two functions for \"%s\"", h.on);
		has[on] = true;
	}
	if (n == HOOKS_MAX)
		return err_text(why, "no PST_END behind its hooks");
	v = pool_alloc(pool, (n + 1) * sizeof(*v));
	copy->hooks = v;
	for (; n > 0; n--)
		element(&v[n - 1], sizeof(*v), p->hooks, n - 1, p->hook_size);
	return 0;
}

static int
check_hook(const struct pst_hook *h, unsigned n, struct err *why)
{
	const char *near;

	if (on_find(h->on) == -1) {
		near = on_nearest(h->on);
		return err_text(why, "there is no hook or operation "
		    "\"%.60s\"%s%s%s", h->on,
		    near != NULL ? " (did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?)" : "");
	}
	if (h->fn == NULL)
		return err_text(why, "hook %u, \"%s\", has no function", n,
		    h->on);
	return 0;
}

static int
read_options(struct pool *pool, struct pst_plugin *copy,
    const struct pst_plugin *p, struct err *why)
{
	struct pst_option o, *v;
	unsigned n, i;

	copy->option_size = sizeof(o);
	copy->options = NULL;
	if (p->options == NULL)
		return 0;
	for (n = 0; n < OPTIONS_MAX; n++) {
		element(&o, sizeof(o), p->options, n, p->option_size);
		if (o.name == NULL)
			break;
	}
	if (n == OPTIONS_MAX)
		return err_text(why, "no PST_END behind its options");
	v = pool_alloc(pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++)
		element(&v[i], sizeof(*v), p->options, i, p->option_size);
	for (i = 0; i < n; i++) {
		if (option_check(v, i, p->conf_size, why) != 0)
			return -1;
	}
	copy->options = v;
	return 0;
}
