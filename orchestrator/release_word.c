/* orchestrator/release_word - what a monitor is told when the container may begin.
 *
 * Owns: the settings of links that endpoints wish for, with our names of the links in them. They
 * are written by the monitor then, as the links are there only then. May not touch: sockets.
 */
#include "orchestrator/release_word.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#define MARK "IFNAME"

/* "net.ipv4.conf.IFNAME.forwarding=0" as "net/ipv4/conf/eth0/forwarding": names of links may have
 * dots. */
static int add_sysctl(struct arena *arena, const char *interface, struct slice text,
		      struct json_object *out, struct err *err)
{
	struct slice name, value;
	bool is_pair = slice_split(text, '=', &name, &value);
	char *before, *mark;

	if (!is_pair || name.len < 4 || strncmp(name.at, "net.", 4) != 0 ||
	    !memmem(name.at, name.len, MARK, strlen(MARK)))
		return err_set(err, ERR_INVALID,
			       "com.docker.network.endpoint.sysctls: \"%.*s\": want "
			       "net.X.Y." MARK ".Z=VALUE",
			       SLICE_ARG(text));
	before = arena_strndup(arena, name.at, name.len);
	mark = strstr(before, MARK);
	*mark = '\0';
	for (char *at = before; at < before + name.len; at++)
		*at = (char)(*at == '.' ? '/' : *at);
	json_add_text(out, arena_format(arena, "%s%s%s", before, interface, mark + strlen(MARK)),
		      arena_strndup(arena, value.at, value.len));
	return 0;
}

const char *release_word(struct arena *arena, const struct slot_net *net, struct err *err)
{
	AUTO(json) struct json_object *word = json_object_new_object();
	struct json_object *sysctls;

	json_add_text(word, "op", "release");
	sysctls = json_add_object(word, "sysctl");
	for (size_t i = 0; net && i < net->link_count; i++) {
		const char *texts = net->links[i].sysctls;
		struct slice rest = { texts, texts ? strlen(texts) : 0 }, one;

		while (slice_next(&rest, ',', &one))
			if (one.len &&
			    add_sysctl(arena, net->links[i].interface, one, sysctls, err) < 0)
				return NULL;
	}
	return arena_strdup(arena,
			    json_object_to_json_string_ext(
				    word, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
