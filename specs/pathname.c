/* specs/pathname - paths as text: cleaning and joining. Owns nothing but the rules. */
#include "specs/pathname.h"

#include <string.h>

#include "base/text.h"

const char *pathname_clean(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, strlen(path) + 2);
	bool absolute = path[0] == '/';
	size_t len = absolute ? 1 : 0, floor = len;
	struct slice rest = SLICE(path), part;

	if (absolute)
		out[0] = '/';
	while (slice_next(&rest, '/', &part)) {
		if (part.len == 0 || slice_is(part, "."))
			continue;
		if (slice_is(part, "..") && len > floor) {
			while (len > floor && out[len - 1] != '/')
				len--;
			if (len > floor)
				len--;
			continue;
		}
		if (slice_is(part, "..") && absolute)
			continue;
		if (len > 0 && out[len - 1] != '/')
			out[len++] = '/';
		memcpy(out + len, part.at, part.len);
		len += part.len;
		if (slice_is(part, ".."))
			floor = len;
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return out;
}

const char *pathname_join(struct arena *arena, const char *base, const char *path, const char *home)
{
	if (path[0] == '/')
		return pathname_clean(arena, path);
	if (home && path[0] == '~' && (!path[1] || path[1] == '/'))
		return pathname_clean(arena, arena_format(arena, "%s%s", home, path + 1));
	return pathname_clean(arena, arena_format(arena, "%s/%s", base, path));
}

const char *pathname_folder(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

const char *pathname_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
