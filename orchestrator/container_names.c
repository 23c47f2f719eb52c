/* orchestrator/container_names - one name, one container on this machine.
 *
 * Owns: the look through all records. May not touch: them.
 */
#include "orchestrator/container_names.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/records.h"

#define NAME_LEN_MAX 255

static bool is_replica_of(const struct record *record, bool same_project, const char *service)
{
	return same_project && service && !record->oneoff && strcmp(record->service, service) == 0;
}

static int look(const struct project_dirs *dirs, const char *name, bool same_project,
		const char *service, struct err *err)
{
	struct err unreadable = ERR_NONE;
	size_t count;
	struct record **records = records_read(dirs->containers_fd, &count, &unreadable);
	int status = 0;

	for (size_t i = 0; records && i < count && status == 0; i++)
		if (strcmp(records[i]->name, name) == 0 &&
		    !is_replica_of(records[i], same_project, service))
			status = err_set(
				err, ERR_EXISTS,
				"the name \"%s\" is in use by container %.12s of project %s", name,
				records[i]->id, dirs->name);
	if (records)
		records_free(records, count);
	return status;
}

static int check_letters(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool fine = len >= 2 && len <= NAME_LEN_MAX && isalnum((unsigned char)name[0]);

	for (size_t i = 0; fine && i < len; i++)
		fine = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	return fine ? 0
		    : err_set(err, ERR_INVALID,
			      "\"%.80s\" is no name for a container: letters, digits, _ . - and "
			      "at least two of them",
			      name);
}

int container_name_check(const struct roots *roots, const char *name, const char *project,
			 const char *service, struct err *err)
{
	AUTO(names) char **projects = NULL;
	int status = 0;

	if (!name)
		return 0;
	if (check_letters(name, err) < 0)
		return -1;
	projects = project_names(roots, err);
	if (!projects)
		return -1;

	for (char **one = projects; one && *one && status == 0; one++) {
		struct err gone = ERR_NONE;
		AUTO(project_dirs)
		struct project_dirs *dirs = project_dirs_open(roots, *one, false, &gone);

		if (dirs)
			status = look(dirs, name, project && strcmp(*one, project) == 0, service,
				      err);
	}
	return status;
}
