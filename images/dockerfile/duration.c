/* images/dockerfile/duration - "1m30s" of HEALTHCHECK to nanoseconds.
 *
 * Owns: that grammar. May not touch: anything.
 */
#include "images/dockerfile/duration.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{"ns",         1            },
        { "us",        1000         },
        { "\xc2\xb5s", 1000         },
        { "ms",        1000000      },
	{ "s",         1000000000   },
        { "m",         60000000000  },
        { "h",         3600000000000},
};

/* Digits, at most up to the limit; how many, or 0. */
static size_t digits(const char *text, int64_t *out)
{
	size_t len = 0;

	*out = 0;
	for (; text[len] >= '0' && text[len] <= '9'; len++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, text[len] - '0', out))
			return 0;
	return len;
}

/* ".5" of a unit; digits behind the ninth do not count. */
static int64_t fraction(const char *text, size_t len, int64_t unit)
{
	int64_t part = 0, scale = unit;

	for (size_t i = 0; i < len && i < 9; i++) {
		part += (text[i] - '0') * (scale / 10);
		scale /= 10;
	}
	return part;
}

static int64_t unit_at(const char **text)
{
	size_t len = strcspn(*text, "0123456789.");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == len && strncmp(*text, units[i].name, len) == 0) {
			*text += len;
			return units[i].ns;
		}
	return 0;
}

int df_duration_parse(const char *text, int64_t *out_ns)
{
	*out_ns = 0;
	if (strcmp(text, "0") == 0)
		return 0;
	if (!*text)
		return -1;
	while (*text) {
		int64_t whole, unit;
		size_t len = digits(text, &whole), after = 0;
		const char *decimals;

		text += len;
		decimals = text;
		if (*text == '.') {
			decimals = ++text;
			after = strspn(text, "0123456789");
			text += after;
		}
		unit = len + after ? unit_at(&text) : 0;
		if (!unit || __builtin_mul_overflow(whole, unit, &whole) ||
		    __builtin_add_overflow(*out_ns, whole, out_ns) ||
		    __builtin_add_overflow(*out_ns, fraction(decimals, after, unit), out_ns))
			return -1;
	}
	return 0;
}
