/* orchestrator/cgroup_folders - the group that holds the groups of a project's containers.
 *
 * Owns: its end. May not touch: groups of containers (runtime/cgroup).
 */
#include "orchestrator/cgroup_folders.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

void cgroup_folders_drop(const char *project)
{
	DIR *dir = opendir("/sys/fs/cgroup");
	struct dirent *entry;
	char path[600];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/stack/%s", project);
	rmdir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%.200s/stack/%s", entry->d_name,
			 project);
		if (entry->d_name[0] != '.' && rmdir(path) == 0) {
			snprintf(path, sizeof(path), "/sys/fs/cgroup/%.200s/stack", entry->d_name);
			rmdir(path); /* the last project takes the common one with it */
		}
	}
	if (dir)
		closedir(dir);
}
