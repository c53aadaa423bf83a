#include "host/abi.h"

#include "base/buf.h"
#include "host/event_priv.h"

static int	refuse(const struct abi *, const struct pst_plugin *,
		    const char *, struct err *);

const struct abi abi_served[] = {
	{ .major = PST_ABI_MAJOR,
	    .minor = PST_ABI_MINOR,
	    .api = &api_table,
	    .read = descriptor_read },
	{ .major = 0 }
};

const struct abi *
abi_find(const struct abi *served, const struct pst_plugin *found,
    const char *name, struct err *why)
{
	const struct abi *a = served;

	if (found->magic != PST_MAGIC) {
		(void)err_text(why, "plugin \"%s\": its descriptor has the "
		    "wrong magic: not made by PST_PLUGIN, or for another "
		    "kind of machine", name);
		return NULL;
	}
	while (a->major != 0 && a->major != found->abi_major)
		a++;
	if (a->major == 0) {
		(void)refuse(served, found, name, why);
		return NULL;
	}
	if (found->abi_need > a->minor) {
		(void)err_text(why, "plugin \"%s\" needs ABI %u.%u, this is "
		    "Postern %s with ABI %u.%u", name, a->major,
		    found->abi_need, PACKAGE_VERSION, a->major, a->minor);
		return NULL;
	}
	return a;
}

static int
refuse(const struct abi *served, const struct pst_plugin *found,
    const char *name, struct err *why)
{
	const struct abi *a;
	struct buf b;
	int r;

	buf_init(&b, 256);
	for (a = served; a->major != 0; a++)
		(void)buf_printf(&b, "%s%u", a == served ? "" : " and ",
		    a->major);
	r = err_text(why, "plugin \"%s\" was built for ABI %u, this is Postern "
	    "%s with ABI %s", name, found->abi_major, PACKAGE_VERSION,
	    buf_p(&b));
	buf_fini(&b);
	return r;
}
