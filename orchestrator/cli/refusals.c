/* orchestrator/cli/refusals - what cannot work, said before anything is begun.
 *
 * Owns: the two lists. May not touch: what commands do.
 */
#include "orchestrator/cli/refusals.h"

#include <string.h>
#include <unistd.h>

/* By the first words of a command's path; what only reads or handles images is not here. */
static const char *const need_root[] = {
	"up",    "create", "start",     "stop",    "restart", "kill",    "pause",   "unpause",
	"rm",    "down",   "scale",     "run",     "exec",    "attach",  "cp",      "commit",
	"watch", "build",  "container", "network", "enable",  "disable", "restore", "rollback",
};

static const struct {
	const char *name, *why;
} foreign[] = {
	{"publish", "push the images (stack push) and keep the file where your code is"        },
	{ "bridge", "there are no converters to other platforms here"                          },
	{ "alpha",  "experiments of docker compose are not followed; see 'stack graph' for viz"},
};

int refusal_of_rights(const struct options *options, struct err *err)
{
	const char *path = options_path(options), *word = strchr(path, ' ');

	if (geteuid() == 0 || !word)
		return 0;
	word++;
	for (size_t i = 0; i < sizeof(need_root) / sizeof(*need_root); i++) {
		size_t len = strlen(need_root[i]);

		if (strncmp(word, need_root[i], len) == 0 && (!word[len] || word[len] == ' '))
			return err_set(err, ERR_DENIED,
				       "%s needs root: it makes or enters namespaces and networks; "
				       "use sudo %s",
				       path, path);
	}
	return 0;
}

const char *refusal_of_command(const char *name)
{
	for (size_t i = 0; name && i < sizeof(foreign) / sizeof(*foreign); i++)
		if (strcmp(foreign[i].name, name) == 0)
			return foreign[i].why;
	return NULL;
}
