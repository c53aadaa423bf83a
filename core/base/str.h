/*
 * Bytes that belong to someone else: a pointer and a length.
 *
 * A struct str is passed by value, owns nothing, need not end with a NUL and
 * may contain any octet. Case-insensitive functions fold ASCII only, whatever
 * the locale (SMTP keywords and domains are ASCII).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For printf("%.*s"). */
#define STR_FMT(s) (int)(s).n, (s).p

struct str str_c(const char *s); /* NULL gives STR_NULL */
struct str str_n(const char *p, size_t n);
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_ieq_c(struct str a, const char *b);
bool str_istarts(struct str s, const char *prefix);
bool str_iends(struct str s, const char *suffix);
int str_cmp(struct str a, struct str b);
int str_icmp(struct str a, struct str b);
struct str str_trim(struct str s); /* blanks and tabs off both ends */
/* Offset of the first c, or s.n. */
size_t str_find(struct str s, char c);
/* Cuts the next piece up to sep off *rest; false when nothing is left. */
bool str_split(struct str *rest, char sep, struct str *piece_r);
/* Cuts the next run without blanks off *rest; false when nothing is left. */
bool str_word(struct str *rest, struct str *word_r);
/* Copies with a NUL into dst of size n; false when it was cut. */
bool str_copy(char *dst, size_t n, struct str s);
void str_lower(char *s, size_t n); /* ASCII, in place */
/* Insertions, deletions, changes and swaps of neighbours that turn a into b,
 * case folded; 64 where one is longer than that. For "did you mean". */
unsigned str_distance(struct str a, struct str b);

/* ASCII only, independent of the locale; safe for any char value. */
bool ch_alpha(char c);
bool ch_digit(char c);
bool ch_alnum(char c);
bool ch_print(char c); /* 0x20 to 0x7e */
char ch_lower(char c);

#endif
