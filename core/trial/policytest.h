/*
 * The policies of a configuration, tried by themselves: compiled, and their
 * test() blocks run, each in a trial of its own in which nothing is real.
 */
#ifndef TRIAL_POLICYTEST_H
#define TRIAL_POLICYTEST_H

#include <jansson.h>

#include "trial/trial.h"

/* The plugin that policies are instances of. */
#define POLICY_ENGINE "lua"
/* The table of what is in a message, and its plugin: it asks nobody outside. */
#define POLICY_CONTENT "mime"

/* A copy of conf with the policies alone: of instances that are no policies
 * nothing is needed, tables are canned. Without the one that looks on
 * (CONF_SHADOW), or that alone, in force, if it is the instance that is meant
 * (NULL: none in particular). It points into conf. */
void policytest_only(struct conf *dst, const struct conf *conf,
    const char *instance, struct pool *pool);
/* A trial with the policies of conf, which are compiled. why begins with file
 * and line of what is wrong. t is to be given to trial_fini() if 0. */
int policytest_open(struct trial *t, const struct conf *conf, struct err *why);
/* So, in a world in which nothing exists but the message: POLICY_CONTENT is
 * that of conf, if it has one. */
int policytest_open_empty(struct trial *t, const struct conf *conf,
    struct err *why);
bool policytest_content(const char *plugin, const char *instance);

/* What rules can refer to; null: nobody knows. */
json_t *policytest_known(const struct conf *conf);

/* Of {"ask":"tests"} and {"ask":"test"}. */
typedef void policytest_fn(void *arg, const json_t *test,
    const json_t *result);
/* Runs the tests of an instance, in order; how many failed, or -1 and why. */
int policytest_run(const struct conf *conf, const char *instance,
    policytest_fn *fn, void *arg, struct err *why);

/* Compiles all of them, runs the tests, and looks for names that conf does not
 * have; 0, or -1 and what went wrong first.
 * Leaves clock and log of the process as they are not wanted: for one of its
 * own. */
int policytest_all(const struct conf *conf, struct err *why);

#endif
