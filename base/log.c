/* base/log - event lines key=value.
 *
 * Owns: the form of a line, quoting. May not touch: files.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line {
	char *out;
	size_t size, len;
};

static void put(struct line *line, char c)
{
	if (line->len + 2 < line->size)
		line->out[line->len++] = c;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

static void put_value(struct line *line, const char *text)
{
	bool quote = text[0] == '\0' || strpbrk(text, " \t\n\r\"=\\") != NULL;

	if (!quote) {
		put_text(line, text);
		return;
	}
	put(line, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			put(line, '\\');
		put(line, (unsigned char)*text < 0x20 ? ' ' : *text);
	}
	put(line, '"');
}

size_t log_format(char *out, size_t size, const char *event, const struct log_value *values,
		  size_t count)
{
	struct line line = { out, size, 0 };
	char number[24];

	put_text(&line, event);
	for (size_t i = 0; i < count; i++) {
		put(&line, ' ');
		put_text(&line, values[i].key);
		put(&line, '=');
		if (values[i].text) {
			put_value(&line, values[i].text);
			continue;
		}
		snprintf(number, sizeof(number), "%" PRId64, values[i].number);
		put_text(&line, number);
	}
	out[line.len++] = '\n';
	out[line.len] = '\0';
	return line.len;
}

void log_line(enum log_level level, const char *event, const struct log_value *values, size_t count)
{
	char text[1024];
	size_t head;

	if (level == LOG_DEBUG && !getenv("STACK_DEBUG"))
		return;
	head = (size_t)snprintf(text, sizeof(text), "<%d>", level);
	head += log_format(text + head, sizeof(text) - head, event, values, count);
	if (write(STDERR_FILENO, text, head) < 0)
		return; /* nobody reads: nothing better to do */
}
