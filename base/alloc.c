/* base/alloc - memory for small things: present, or the process ends.
 *
 * Owns: the one place that gives up when memory is out. May not touch: the log.
 */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *memory)
{
	static const char text[] = "out of memory\n";

	if (memory)
		return memory;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(71);
	_exit(70);
}

void *xcalloc(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		must(NULL);
	return must(realloc(old, bytes ? bytes : 1));
}

char *xstrdup(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t len)
{
	return must(strndup(text, len));
}

char *xformat(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return must(len < 0 ? NULL : text);
}

void *xgrow(void *array_pointer, size_t *count, size_t item_size)
{
	void **array = array_pointer;
	size_t n = *count;

	if ((n & (n - 1)) == 0) /* 0, 1, 2, 4, 8 ...: full */
		*array = xrealloc(*array, n ? 2 * n : 1, item_size);
	*count = n + 1;
	return memset((char *)*array + n * item_size, 0, item_size);
}
