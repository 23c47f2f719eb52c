/* specs/export/names - names that a cluster takes, from names that a stack file has.
 *
 * Owns: alphabets, lengths, what happens when two names become one. May not touch: what is named.
 */
#include "specs/export/names.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/sha.h"

#define DIGEST_DIGITS 6 /* hex digits that tell two names apart */

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct name_book {
	struct arena *arena;
	struct json_object *taken; /* "KIND NAME" -> original */
	struct json_object *given; /* "KIND ORIGINAL" -> name */
};

static const char *digest(struct arena *arena, const char *text)
{
	unsigned char hash[SHA_256_BYTES];

	sha_256(text, strlen(text), hash);
	return arena_format(arena, "%02x%02x%02x", hash[0], hash[1], hash[2]);
}

static bool is_of(char c, const char *alphabet)
{
	return c && strchr(alphabet, c);
}

/* name, cut so that "-DIGEST" of the original has room. */
static const char *with_digest(struct arena *arena, const char *name, const char *original,
			       size_t max)
{
	size_t room = max - DIGEST_DIGITS - 1, len = strlen(name);

	if (len > room)
		len = room;
	while (len > 1 && !is_of(name[len - 1], LOWER DIGITS))
		len--;
	return arena_format(arena, "%.*s-%s", (int)len, name, digest(arena, original));
}

const char *name_label(struct arena *arena, const char *text, size_t max)
{
	char *name = arena_alloc(arena, strlen(text) + 3), *end = name;

	for (const char *c = text; *c; c++) {
		if (is_of(*c, UPPER))
			*end++ = (char)(*c - 'A' + 'a');
		else if (is_of(*c, LOWER) || (is_of(*c, DIGITS) && end > name))
			*end++ = *c;
		else if (is_of(*c, DIGITS))
			*end++ = 'n', *end++ = *c; /* a letter stands first */
		else if (end > name && end[-1] != '-')
			*end++ = '-';
	}
	while (end > name && end[-1] == '-')
		end--;
	*end = '\0';
	if (end == name)
		return arena_format(arena, "x-%s", digest(arena, text));
	return strlen(name) > max ? with_digest(arena, name, text, max) : name;
}

bool name_is_label(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max && is_of(text[0], LOWER) &&
	       is_of(text[len - 1], LOWER DIGITS) && strspn(text, LOWER DIGITS "-") == len;
}

bool name_is_qualified(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= NAME_LABEL_MAX && is_of(text[0], LOWER UPPER DIGITS) &&
	       is_of(text[len - 1], LOWER UPPER DIGITS) &&
	       strspn(text, LOWER UPPER DIGITS "-_.") == len;
}

const char *name_qualified(struct arena *arena, const char *text)
{
	return name_is_qualified(text) ? text : name_label(arena, text, NAME_LABEL_MAX);
}

static bool is_domain(const char *text, size_t len)
{
	char before = '.';

	for (size_t i = 0; i < len; before = text[i++])
		if (!is_of(text[i], LOWER DIGITS "-.") || (is_of(text[i], "-.") && before == '.') ||
		    (text[i] == '.' && before == '-'))
			return false;
	return len > 0 && len <= 253 && is_of(before, LOWER DIGITS);
}

bool name_is_annotation(const char *text)
{
	const char *slash = strchr(text, '/');

	if (!slash)
		return name_is_qualified(text);
	return is_domain(text, (size_t)(slash - text)) && name_is_qualified(slash + 1);
}

bool name_is_variable(const char *text)
{
	return *text && !is_of(*text, DIGITS) && strcmp(text, ".") != 0 &&
	       strncmp(text, "..", 2) != 0 && text[strspn(text, LOWER UPPER DIGITS "-_.")] == '\0';
}

const char *name_key(struct arena *arena, const char *text)
{
	char *key = arena_strdup(arena, *text ? text : "file");

	for (char *c = key; *c; c++)
		if (!is_of(*c, LOWER UPPER DIGITS "-_."))
			*c = '_';
	if (strncmp(key, "..", 2) == 0 || strcmp(key, ".") == 0)
		key[0] = '_';
	return strlen(key) > 200 ? arena_strndup(arena, key, 200) : key;
}

struct name_book *name_book_new(struct arena *arena)
{
	struct name_book *names = xcalloc(1, sizeof(*names));

	names->arena = arena;
	names->taken = json_object_new_object();
	names->given = json_object_new_object();
	return names;
}

void name_book_free(struct name_book *names)
{
	json_object_put(names->taken);
	json_object_put(names->given);
	free(names);
}

bool name_book_claim(struct name_book *names, const char *kind, const char *original,
		     const char *name)
{
	const char *key = arena_format(names->arena, "%s %s", kind, name);
	const char *owner = json_text_or(names->taken, key, NULL);

	if (owner)
		return strcmp(owner, original) == 0;
	json_add_text(names->taken, key, original);
	return true;
}

bool name_book_has(const struct name_book *names, const char *kind, const char *original)
{
	return json_text_or(names->given, arena_format(names->arena, "%s %s", kind, original),
			    NULL);
}

const char *name_book_give(struct name_book *names, const char *kind, const char *original,
			   const char *wanted, size_t max)
{
	const char *key = arena_format(names->arena, "%s %s", kind, original);
	const char *name = json_text_or(names->given, key, NULL);

	if (name)
		return arena_strdup(names->arena, name);
	name = name_label(names->arena, wanted, max);
	if (!name_book_claim(names, kind, original, name)) {
		name = with_digest(names->arena, name, original, max);
		name_book_claim(names, kind, original, name);
	}
	json_add_text(names->given, key, name);
	return name;
}
