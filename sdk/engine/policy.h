/*
 * engine/policy.h - policy/1: what the command line asks the policy engine.
 *
 * Private to the program: it is not installed and may change at any time. Both
 * sides write JSON, so that the engine's standard library in Lua can answer.
 *
 * ask: one question, an object with "ask"; it may wait.
 *   {"ask":"tests"}         [{"name":…,"file":…,"line":…} …], in order
 *   {"ask":"test","n":N}    runs the N-th (from 0): {"ok":true} or {"ok":false,
 *                           "failures":["policy.lua:7: …" …]}
 *   {"ask":"lint","now":T,"known":{KIND:[NAME …] …}|null}
 *                           [{"file":…,"line":…,"severity":"error"|"warning"|
 *                           "info","text":…} …]; T: seconds since 1970
 *   {"ask":"missing","now":T,"known":{KIND:[NAME …] …}}
 *                           {"file":…,"line":…,"text":…}: the first name for
 *                           want of which mail would be put off; {}: none
 *   {"ask":"rules","now":T} [{"name":…,"file":…,"line":…,"enabled":B,
 *                           "expires":DAY,"expired":B,"description":…,
 *                           "when":…,"sets":…,"test":B,"stop":B} …], in order;
 *                           without DAY and description if it has none
 *   {"ask":"trace","on":B}  from now on each event writes down what it tries
 *   {"ask":"traced"}        what was written since: [{"on":"eom","rule":NAME,
 *                           "file":…,"line":…,"matched":B,"why":…,"rcpt":…} …]
 * While a test runs, the engine may put questions of its own with drive(): a
 * message to try, an answer to can, time to pass. It parks; the answer comes
 * with the operation "answer" and the number that it gave.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include <postern/plugin.h>

#define PST_POLICY_ASK "policy/1.ask"	    /* struct pst_policy_ask */
#define PST_POLICY_ANSWER "policy/1.answer" /* struct pst_policy_answer */

struct pst_policy_ask {
	uint32_t size;
	struct pst_str question; /* JSON */
	struct pst_str answer;	 /* set by the engine, memory of the event */
	/* The driver copies what; it answers after this returned. */
	void (*drive)(void *driver, uint64_t id, struct pst_str what);
	void *driver;
};

struct pst_policy_answer {
	uint32_t size;
	uint64_t id;	       /* that drive() was given */
	struct pst_str answer; /* JSON; {"error":…} raises it in the test */
	bool gone;	       /* set: nobody waits for it any more */
};

#endif
