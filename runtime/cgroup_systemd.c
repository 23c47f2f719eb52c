/* runtime/cgroup_systemd - cgroups made by systemd: scopes in slices.
 *
 * Owns: names of slices and scopes. May not touch: limits that are written as files.
 */
#include <string.h>

#include "runtime/cgroup_internal.h"

int cgroup_systemd_plan(struct cgroup *cgroup, const char *path, const char *id, struct err *err)
{
	(void)cgroup;
	(void)path;
	(void)id;
	return err_set(err, ERR_UNSUPPORTED, "--systemd-cgroup: systemd does not run on this host");
}

int cgroup_systemd_start(struct cgroup *cgroup, pid_t pid, const struct config_resources *resources,
			 struct err *err)
{
	(void)cgroup;
	(void)pid;
	(void)resources;
	return err_set(err, ERR_UNSUPPORTED, "--systemd-cgroup: systemd does not run on this host");
}

int cgroup_systemd_stop(struct cgroup *cgroup, struct err *err)
{
	(void)cgroup;
	(void)err;
	return 0;
}
