/* orchestrator/storage_check - before anything is touched: what a service mounts, is it there, and
 * what should the user know of it.
 *
 * Owns: these sentences. May not touch: anything; it only looks.
 */
#include <string.h>

#include "base/text.h"
#include "orchestrator/storage_files.h"
#include "orchestrator/storage_inner.h"
#include "volumes/bind.h"
#include "volumes/secret.h"

struct notices {
	struct arena *arena;
	struct texts *out;
};

static void tell(const struct notices *notices, const char *text)
{
	if (!texts_has(notices->out, text))
		*(const char **)arena_grow(notices->arena, &notices->out->items,
					   &notices->out->count, sizeof(char *)) = text;
}

static int check_bind(const struct service *service, const struct mount *mount,
		      const struct notices *notices, struct err *err)
{
	struct bind_outlook found;

	if (bind_foresee(mount->source, mount->bind && mount->bind->create_host_path, &found, err) <
	    0)
		return -1;
	if (found.will_create)
		tell(notices,
		     arena_format(notices->arena,
				  "service %s: %s is not there: the directory is created%s",
				  service->name, mount->source,
				  found.looks_like_file ? " (was a file meant?)" : ""));
	if (found.exposes_host)
		tell(notices,
		     arena_format(notices->arena, "service %s: %s gives it power over the host%s",
				  service->name, mount->source,
				  mount->read_only ? " (even read-only)" : ""));
	if (mount->bind && mount->bind->selinux)
		tell(notices, "bind options z and Z: labels of files are left as they are");
	return 0;
}

/* Databases that share a volume with their own replicas are lost. */
static void check_sharing(const struct service *service, const struct mount *mount,
			  const struct notices *notices)
{
	uint64_t count = service_replicas(service);

	if (mount->source && !mount->read_only && count > 1)
		tell(notices,
		     arena_format(notices->arena,
				  "service %s: %llu containers write into volume %s", service->name,
				  (unsigned long long)count, mount->source));
}

int storage_check(const struct volume_store *volumes, const struct project *project,
		  const struct service *service, struct arena *arena, struct texts *notices,
		  struct err *err)
{
	const struct notices tellers = { arena, notices };
	struct file_grant *grants;
	size_t count;
	int status = storage_grants(arena, project, service, &grants, &count, err);

	for (size_t i = 0; status == 0 && i < count; i++)
		status = secret_check(volumes, &grants[i].grant, err);
	for (size_t i = 0; status == 0 && i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (strcmp(mount->type, "bind") == 0)
			status = check_bind(service, mount, &tellers, err);
		else if (strcmp(mount->type, "volume") == 0)
			check_sharing(service, mount, &tellers);
	}
	return status < 0 ? err_wrap(err, "service %s", service->name) : 0;
}
