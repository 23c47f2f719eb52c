/* images/dockerfile/chmod - the value of --chmod: 0755, or u=rwX,go=rX as in chmod(1).
 *
 * Owns: that grammar. Declared in placing.h. Pure.
 */
#include <string.h>

#include "images/dockerfile/placing.h"

#define MODE_MAX  07777u
#define EXECUTE   0111u
#define ALL_WHO   0777u
#define SETUID    04000u
#define SETGID    02000u
#define STICKY    01000u
#define OCTAL_MAX 5u /* "07777" */

/* One clause: who, then operators with permissions. */
struct clause {
	uint32_t who; /* rwx bits of those that are meant */
	char op;
	uint32_t bits;
};

static uint32_t who_bits(char c)
{
	static const struct {
		char c;
		uint32_t bits;
	} rows[] = {
		{'u',  0700   },
                { 'g', 0070   },
                { 'o', 0007   },
                { 'a', ALL_WHO}
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].c == c)
			return rows[i].bits;
	return 0;
}

/* The bits of one letter for everybody; false when it is none. */
static bool permission_bits(char c, uint32_t who, bool is_dir, uint32_t mode, uint32_t *out)
{
	static const char letters[] = "rwx";
	static const uint32_t bits[] = { 0444, 0222, EXECUTE };
	const char *at = strchr(letters, c);

	if (c && at) {
		*out = bits[at - letters] & who;
		return true;
	}
	switch (c) {
	case 'X':
		*out = is_dir || mode & EXECUTE ? EXECUTE & who : 0;
		return true;
	case 's':
		*out = (who & 0700 ? SETUID : 0) | (who & 0070 ? SETGID : 0);
		return true;
	case 't':
		*out = STICKY;
		return true;
	default:
		return false;
	}
}

/* "g" on the right of an operator: what the group may now, for those that are meant. */
static bool copied_bits(char c, uint32_t who, uint32_t mode, uint32_t *out)
{
	uint32_t from = who_bits(c), one;

	if (!from || c == 'a')
		return false;
	one = c == 'u' ? (mode >> 6) & 7 : c == 'g' ? (mode >> 3) & 7 : mode & 7;
	*out = (one << 6 | one << 3 | one) & who;
	return true;
}

static uint32_t apply_clause(const struct clause *clause, uint32_t mode)
{
	uint32_t cleared = clause->who;

	if (clause->op == '+')
		return mode | clause->bits;
	if (clause->op == '-')
		return mode & ~clause->bits;
	cleared |= (clause->who & 0700 ? SETUID : 0) | (clause->who & 0070 ? SETGID : 0);
	return (mode & ~cleared) | clause->bits;
}

/* Reads one clause from *at on: "go=rX". */
static bool take_clause(const char **at, bool is_dir, uint32_t *mode)
{
	struct clause clause = { 0 };
	bool has_op = false;

	for (; who_bits(**at); (*at)++)
		clause.who |= who_bits(**at);
	if (!clause.who)
		clause.who = ALL_WHO;
	while (**at == '+' || **at == '-' || **at == '=') {
		uint32_t bits;

		clause.op = *(*at)++;
		clause.bits = 0;
		for (; permission_bits(**at, clause.who, is_dir, *mode, &bits) ||
		       copied_bits(**at, clause.who, *mode, &bits);
		     (*at)++)
			clause.bits |= bits;
		*mode = apply_clause(&clause, *mode);
		has_op = true;
	}
	return has_op;
}

int df_chmod_apply(const char *text, bool is_dir, uint32_t mode, uint32_t *out, struct err *err)
{
	size_t digits = strspn(text, "01234567");
	const char *at = text;
	uint32_t octal = 0;

	if (digits && !text[digits] && digits <= OCTAL_MAX) {
		for (; *at; at++)
			octal = octal * 8 + (uint32_t)(*at - '0');
		*out = octal & MODE_MAX;
		return octal > MODE_MAX ? err_set(err, ERR_INVALID, "--chmod=%.40s: no mode", text)
					: 0;
	}
	for (;;) {
		if (!take_clause(&at, is_dir, &mode) || (*at && *at != ','))
			return err_set(err, ERR_INVALID,
				       "--chmod=%.40s: wanted is 0755 or u=rwX,go=rX", text);
		if (!*at)
			break;
		at++;
	}
	*out = mode & MODE_MAX;
	return 0;
}
