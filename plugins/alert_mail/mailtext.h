/*
 * Who gets which alert, and in which words: without any input or output.
 */
#ifndef MAILTEXT_H
#define MAILTEXT_H

#include <postern/alert_sink.h>

#define MAILTEXT_SUBJECT 400

/* Is `item` ("ops@example.net System/Warning,all/Critical") one that gets
 * it? *len_r: length of its address, from the beginning. An item without
 * classes gets all. */
bool mailtext_wants(const char *item, const char *category,
    const char *severity, size_t *len_r);
/* What is wrong with an item; NULL: nothing. */
const char *mailtext_check(const char *item);
/* Warning <System> host: text */
void mailtext_subject(char *dst, size_t n, const struct pst_alert_record *r);
/* A whole message, lines ending with CRLF; freed by the caller. times: so
 * many are told of together; 0: one. serial makes its Message-ID. */
char *mailtext_message(const struct pst_alert_record *r, uint64_t times,
    const char *from, const char *to, int64_t now, uint64_t serial);

#endif
