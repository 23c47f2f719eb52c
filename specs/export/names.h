/* specs/export/names - names that a cluster takes, from names that a stack file has.
 *
 * Source: RFC 1123, RFC 1035; Kubernetes, "Object Names and IDs", "Labels and Selectors". One
 * thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define NAME_LABEL_MAX 63
/* Of workloads: room for what a cluster appends (revision hash, time of a cron job). */
#define NAME_UNIT_MAX 52

/* Lower case letters, digits and -, a letter first, at most max (16 or more); what does not fit
 * becomes -, and a name that is too long ends with a digest of the whole. Never empty. */
const char *name_label(struct arena *arena, const char *text, size_t max);
/* Whether the text is such a name already. */
bool name_is_label(const char *text, size_t max);
/* Value of a label, or name part of a label's or annotation's key: at most 63 of letters, digits, -
 * _ and . with a letter or digit at both ends. */
bool name_is_qualified(const char *text);
const char *name_qualified(struct arena *arena, const char *text);
/* Key of an annotation: a qualified name, with or without PREFIX/ (a lower case DNS name). */
bool name_is_annotation(const char *text);
/* Variable of a container. */
bool name_is_variable(const char *text);
/* Key of a ConfigMap or Secret: letters, digits, - _ and . */
const char *name_key(struct arena *arena, const char *text);

/* Names given so far, by kind: two things never get the same one. */
struct name_book;
struct name_book *name_book_new(struct arena *arena);
void name_book_free(struct name_book *names);
AUTO_TYPE(name_book, name_book_free);
/* The name of `original` among its kind, made of `wanted`; the same one when asked again. */
const char *name_book_give(struct name_book *names, const char *kind, const char *original,
			   const char *wanted, size_t max);
/* Whether it was asked for before. */
bool name_book_has(const struct name_book *names, const char *kind, const char *original);
/* Claims a name as it is; false when something else has it. */
bool name_book_claim(struct name_book *names, const char *kind, const char *original,
		     const char *name);
