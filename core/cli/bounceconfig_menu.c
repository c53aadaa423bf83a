/*
 * `postern bounceconfig` as a dialogue, in the manner of AsyncOS.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/bounceconfig.h"
#include "cli/cli.h"
#include "cli/menu.h"
#include "cli/prompt.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define FIELDS_MAX 16
#define NONE "NONE"

struct operation {
	struct menu_word w;
	enum menu_step (*run)(struct bounceconfig *, struct err *);
};

static enum menu_step profile(struct bounceconfig *, const char *,
    struct err *);
static enum menu_step do_new(struct bounceconfig *, struct err *);
static enum menu_step do_edit(struct bounceconfig *, struct err *);
static enum menu_step do_delete(struct bounceconfig *, struct err *);
static enum menu_step do_detail(struct bounceconfig *, struct err *);

static const struct operation operations[] = {
	{ { "NEW", "Create a new profile." }, do_new },
	{ { "EDIT", "Modify a profile." }, do_edit },
	{ { "DELETE", "Remove a profile." }, do_delete },
	{ { "DETAIL", "Display what a profile says." }, do_detail },
};

int
bounceconfig_menu(struct bounceconfig *bc)
{
	struct err why = ERR_INIT;
	enum menu_step s = MENU_OK;
	int i;

	bc->json = false;
	while (s != MENU_END) {
		(void)putchar('\n');
		if (bounceconfig_list(bc, &why) != 0)
			return cli_fail("%s", why.text);
		i = menu_choose(bc->pool, operations, sizeof(operations[0]),
		    NELEM(operations));
		if (i < 0)
			break;
		err_clear(&why);
		s = operations[i].run(bc, &why);
		/* Half of an operation is none of it. */
		if (menu_told(s, &why) != MENU_END && s == MENU_FAILED &&
		    confedit_refresh(bc->ce, &why) != 0)
			return cli_fail("%s", why.text);
	}
	confedit_hint(bc->ce);
	return CLI_OK;
}

static enum menu_step
saved(struct bounceconfig *bc, int r, struct err *why)
{
	return menu_step(r != 0 ? r : confedit_save(bc->ce, why));
}

/* ---- questions ---- */

/* Whole numbers only, in the unit that is asked for; what the range is, the
 * configuration says of the whole. NULL: the input ended. */
static const char *
ask_number(struct bounceconfig *bc, const char *text, const char *now)
{
	const char *line;
	uint64_t n;

	for (;;) {
		line = menu_ask(bc->pool, text, now);
		if (line == NULL || strcmp(line, now) == 0 ||
		    num_u64(str_c(line), UINT32_MAX, &n) == 0)
			return line;
		(void)printf("Please answer with a number.\n");
	}
}

static const char *
ask(struct bounceconfig *bc, const struct bounceconfig_field *f,
    const char *now)
{
	const char *line;
	bool end = false, yes;

	prompt_text("\n", 0);
	switch (f->type) {
	case BC_NUMBER:
	case BC_SECONDS:
		return ask_number(bc, f->question, now);
	case BC_YES:
	case BC_DSN:
		yes = prompt_yes_here(bc->pool, f->question,
		    strcmp(now, "yes") == 0, &end);
		return end ? NULL : yes ? "yes" : "no";
	case BC_TEXT:
		line = menu_ask(bc->pool, f->question,
		    now[0] != '\0' ? now : NONE);
		return line != NULL && str_ieq_c(str_c(line), NONE) ? "" :
		    line;
	}
	panic("type %d", (int)f->type);
}

/* What hangs on another answer is not asked where that is no. */
static bool
asked(const struct bounceconfig_field *f, bool bounces, bool warnings)
{
	if (f->question == NULL)
		return false;
	if (f->type == BC_DSN || f->type == BC_TEXT ||
	    strcmp(f->key, "warn") == 0)
		return bounces;
	return strncmp(f->key, "warn_", 5) != 0 || (bounces && warnings);
}

/* All answers, or none where the input ended between them; what is as it was
 * is not set. */
static enum menu_step
profile(struct bounceconfig *bc, const char *name, struct err *why)
{
	const struct bounceconfig_field *f = bounceconfig_fields, *set;
	const char *now, *said, *value[FIELDS_MAX] = { NULL };
	bool bounces = true, warnings = true;
	int r = 0;

	for (; f->name != NULL; f++) {
		ASSERT(f < bounceconfig_fields + FIELDS_MAX);
		if (!asked(f, bounces, warnings))
			continue;
		now = bounceconfig_value(bc, name, f);
		said = ask(bc, f, now);
		if (said == NULL)
			return MENU_END;
		if (strcmp(f->key, "send_bounces") == 0)
			bounces = strcmp(said, "yes") == 0;
		else if (strcmp(f->key, "warn") == 0)
			warnings = strcmp(said, "yes") == 0;
		if (strcmp(said, now) != 0)
			value[f - bounceconfig_fields] = said[0] != '\0' ?
			    said : "\"\"";
	}
	for (set = bounceconfig_fields; r == 0 && set < f; set++) {
		said = value[set - bounceconfig_fields];
		if (said != NULL)
			r = bounceconfig_set(bc, name, set->name, said, why);
	}
	return saved(bc, r, why);
}

/* One that is there, by its number or name; NULL: the input ended. */
static const char *
ask_profile(struct bounceconfig *bc, const char *text)
{
	const struct conf *c = confedit_conf(bc->ce);
	const char *line;
	uint64_t v;
	unsigned i;

	(void)printf("\n%s\n", text);
	for (i = 0; i < c->nprofile; i++)
		(void)printf("%u. %s\n", i + 1, c->profile[i].name);
	for (;;) {
		line = menu_ask(bc->pool, "", "1");
		if (line == NULL)
			return NULL;
		for (i = 0; i < c->nprofile; i++) {
			if (strcmp(line, c->profile[i].name) == 0)
				break;
		}
		if (i == c->nprofile &&
		    num_u64(str_c(line), c->nprofile, &v) == 0 && v > 0)
			i = (unsigned)v - 1;
		if (i < c->nprofile)
			return pool_strdup(bc->pool, c->profile[i].name);
		(void)printf("Please answer with a number from 1 to %u, or a "
		    "name of the list.\n", c->nprofile);
	}
}

/* ---- operations ---- */

static enum menu_step
do_new(struct bounceconfig *bc, struct err *why)
{
	const char *name;

	(void)putchar('\n');
	name = menu_ask(bc->pool, "Please create a name for the profile:", "");
	if (name == NULL)
		return MENU_END;
	if (name[0] == '\0')
		return MENU_OK;
	/* Told before more is asked. */
	if (bounceconfig_has(bc, name)) {
		(void)err_text(why, "there is a profile %s already", name);
		return MENU_FAILED;
	}
	if (bounceconfig_new(bc, name, why) != 0 ||
	    confedit_try(bc->ce, why) != 0)
		return MENU_FAILED;
	return profile(bc, name, why);
}

static enum menu_step
do_edit(struct bounceconfig *bc, struct err *why)
{
	const char *name = ask_profile(bc,
	    "Please select the profile to modify.");

	return name == NULL ? MENU_END : profile(bc, name, why);
}

static enum menu_step
do_delete(struct bounceconfig *bc, struct err *why)
{
	const char *name = ask_profile(bc,
	    "Please select the profile to remove.");

	return name == NULL ? MENU_END :
	    saved(bc, bounceconfig_delete(bc, name, why), why);
}

static enum menu_step
do_detail(struct bounceconfig *bc, struct err *why)
{
	const char *name = ask_profile(bc,
	    "Please select the profile to display.");

	return name == NULL ? MENU_END :
	    menu_step(bounceconfig_detail(bc, name, why));
}
