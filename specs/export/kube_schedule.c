/* specs/export/kube_schedule - x-stack.schedule in the words of a CronJob.
 *
 * Owns: what its parser reads otherwise: Sunday is 0 alone, @every has no days. May not touch: when
 * jobs run here.
 */
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/export/kube.h"
#include "specs/units.h"

#define SUNDAY 7u

static unsigned number(const char *text, size_t len, unsigned fallback)
{
	struct err err = ERR_NONE;
	uint64_t value = fallback;

	num_parse_u64("field", text, len, 0, 1000, &value, &err);
	return (unsigned)value;
}

/* "5-7" -> "5,6,0": a part that ends at the seventh day, day by day. */
static const char *week_part(struct arena *arena, struct slice part)
{
	struct slice range, slash, left, right;
	unsigned step = 1, first;
	const char *out = NULL;

	if (slice_split(part, '/', &range, &slash))
		step = number(slash.at, slash.len, 1);
	if (slice_is(range, "*") || step == 0)
		return arena_strndup(arena, part.at, part.len);
	if (!slice_split(range, '-', &left, &right))
		right = left;
	first = number(left.at, left.len, 0);
	if (number(right.at, right.len, 0) != SUNDAY)
		return arena_strndup(arena, part.at, part.len);
	for (; first <= SUNDAY; first += step)
		out = arena_format(arena, "%s%s%u", out ? out : "", out ? "," : "", first % SUNDAY);
	return out;
}

static const char *week_field(struct arena *arena, struct slice field)
{
	const char *out = NULL;
	struct slice part;

	while (slice_next(&field, ',', &part))
		out = arena_format(arena, "%s%s%s", out ? out : "", out ? "," : "",
				   week_part(arena, part));
	return out;
}

const char *kube_schedule(struct kube *kube, const struct unit *unit)
{
	const char *text = unit->service->stack->schedule;
	struct slice rest = SLICE(text), field;
	char duration[UNITS_DURATION_LEN];
	const char *out = NULL;
	struct err err = ERR_NONE;
	unsigned fields = 0;
	uint64_t us;

	if (text_starts(text, "@every ") && units_parse_duration(text + 7, &us, &err) == 0) {
		if (us < 1000000)
			us = 1000000;
		units_print_duration(us, duration);
		return arena_format(kube->arena, "@every %s", duration);
	}
	if (text[0] == '@')
		return text;
	while (slice_next(&rest, ' ', &field)) {
		if (field.len == 0)
			continue;
		fields++;
		out = arena_format(kube->arena, "%s%s%s", out ? out : "", out ? " " : "",
				   fields == 5 ? week_field(kube->arena, field)
					       : arena_strndup(kube->arena, field.at, field.len));
	}
	return out;
}
