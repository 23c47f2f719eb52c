/* specs/scalar - what an unquoted scalar means: nothing, a boolean, a number or text.
 *
 * Owns: the spellings. May not touch: locale, files. Source: YAML 1.2, 10.3.2; YAML 1.1 int type.
 */
#include "specs/scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXPONENT_MAX  21 /* from here on numbers print with an exponent */
#define EXPONENT_MIN  (-4)
#define PRECISION_MAX 17

struct word {
	const char *text;
	bool value;
};

static const struct word bool_words[] = {
	{"y",    true },
        { "yes", true },
        { "on",  true },
	{ "n",   false},
        { "no",  false},
        { "off", false},
};
static const char *const null_words[] = { "", "~", "null", "Null", "NULL" };
static const char *const true_words[] = { "true", "True", "TRUE" };
static const char *const false_words[] = { "false", "False", "FALSE" };

static bool is_one_of(const char *const *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(words, text) is_one_of((words), sizeof(words) / sizeof(*(words)), (text))

int scalar_bool(const char *text, bool *out_value)
{
	if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
		*out_value = text[0] == 't' || text[0] == 'T';
		return 1;
	}
	for (size_t i = 0; i < sizeof(bool_words) / sizeof(*bool_words); i++)
		if (strcasecmp(text, bool_words[i].text) == 0) {
			*out_value = bool_words[i].value;
			return 2;
		}
	return 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Sign and magnitude of an integer; -1 when it is none. */
static int read_integer(const char *text, bool *out_negative, uint64_t *out_value)
{
	const char *at = text + (*text == '-' || *text == '+');
	unsigned base = 10;
	uint64_t value = 0;
	bool any = false;

	*out_negative = *text == '-';
	if (at[0] == '0' && at[1]) {
		char sign = at[1];

		base = sign == 'x' || sign == 'X' ? 16 : sign == 'b' || sign == 'B' ? 2 : 8;
		at += base == 8 && sign != 'o' && sign != 'O' ? 1 : 2;
	}
	for (; *at; at++) {
		if (*at == '_')
			continue;
		if (digit_value(*at) >= (int)base ||
		    __builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(*at), &value))
			return -1;
		any = true;
	}
	*out_value = value;
	return any ? 0 : -1;
}

int scalar_int(const char *text, int64_t *out_value)
{
	uint64_t magnitude;
	bool negative;

	if (read_integer(text, &negative, &magnitude) < 0 || magnitude > INT64_MAX)
		return -1;
	*out_value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

/* Digits, one point, an exponent; underscores are left out of out. */
static int clean_float(const char *text, char *out, size_t size)
{
	size_t len = 0;
	unsigned digits = 0, points = 0, exponents = 0;

	for (const char *at = text; *at; at++) {
		bool sign = *at == '+' || *at == '-';

		if (*at == '_')
			continue;
		if (*at >= '0' && *at <= '9')
			digits++;
		else if (*at == '.' && points == 0 && exponents == 0)
			points++;
		else if ((*at == 'e' || *at == 'E') && exponents == 0 && digits > 0)
			exponents++;
		else if (!sign || (at != text && at[-1] != 'e' && at[-1] != 'E'))
			return -1;
		if (len + 1 >= size)
			return -1;
		out[len++] = *at;
	}
	out[len] = '\0';
	return digits > 0 && out[len - 1] != 'e' && out[len - 1] != 'E' && out[len - 1] != '+' &&
			       out[len - 1] != '-'
		       ? 0
		       : -1;
}

int scalar_number(const char *text, double *out_value)
{
	char clean[128];
	uint64_t magnitude;
	bool negative;
	double value;

	if (read_integer(text, &negative, &magnitude) == 0) {
		*out_value = negative ? -(double)magnitude : (double)magnitude;
		return 0;
	}
	if (clean_float(text, clean, sizeof(clean)) < 0)
		return -1;
	value = strtod(clean, NULL);
	if (!isfinite(value))
		return -1;
	*out_value = value;
	return 0;
}

void scalar_number_text(double value, char out[SCALAR_NUMBER_MAX])
{
	char digits[SCALAR_NUMBER_MAX - 8], *mantissa = digits;
	int precision = 0, exponent, count;
	char *at = out;

	if (value == 0) {
		strcpy(out, "0");
		return;
	}
	do
		snprintf(digits, sizeof(digits), "%.*e", precision, value);
	while (strtod(digits, NULL) != value && ++precision < PRECISION_MAX);
	if (*mantissa == '-')
		*at++ = *mantissa++;
	exponent = (int)strtod(strchr(mantissa, 'e') + 1, NULL);
	if (exponent < EXPONENT_MIN || exponent >= EXPONENT_MAX) {
		memmove(at, mantissa, strlen(mantissa) + 1);
		return;
	}
	count = 1;
	if (mantissa[1] == '.') {
		memmove(mantissa + 1, mantissa + 2, strlen(mantissa + 2) + 1);
		count = precision + 1;
	}
	if (exponent < 0)
		at += sprintf(at, "0.%.*s", -exponent - 1, "000");
	for (int i = 0; i < count || i <= exponent; i++) {
		if (exponent >= 0 && i == exponent + 1)
			*at++ = '.';
		*at++ = i < count ? mantissa[i] : '0';
	}
	*at = '\0';
}

enum node_kind scalar_resolve(struct arena *arena, const char *text, size_t len,
			      const char **out_text)
{
	const char *copy = arena_strndup(arena, text, len);
	char number[SCALAR_NUMBER_MAX];
	uint64_t magnitude;
	bool negative;
	double value;

	*out_text = copy;
	if (strlen(copy) != len)
		return NODE_TEXT;
	if (IS_ONE_OF(null_words, copy))
		return NODE_NULL;
	if (IS_ONE_OF(true_words, copy) || IS_ONE_OF(false_words, copy)) {
		*out_text = IS_ONE_OF(true_words, copy) ? "true" : "false";
		return NODE_BOOL;
	}
	if (!strchr("+-.0123456789", copy[0]))
		return NODE_TEXT;
	if (read_integer(copy, &negative, &magnitude) == 0 &&
	    !(negative && magnitude > (uint64_t)INT64_MAX + 1)) {
		*out_text = arena_format(arena, "%s%ju", negative && magnitude ? "-" : "",
					 (uintmax_t)magnitude);
		return NODE_INT;
	}
	if (scalar_number(copy, &value) < 0)
		return NODE_TEXT;
	scalar_number_text(value, number);
	*out_text = arena_strdup(arena, number);
	return NODE_FLOAT;
}

struct json_object *scalar_json_number(const char *text)
{
	uint64_t magnitude;
	bool negative;
	double value = 0;

	if (read_integer(text, &negative, &magnitude) < 0) {
		scalar_number(text, &value);
		return json_object_new_double_s(value, text);
	}
	if (!negative)
		return json_object_new_uint64(magnitude);
	return json_object_new_int64(-(int64_t)magnitude);
}
