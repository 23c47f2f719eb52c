/* orchestrator/cgroup_folders - the group that holds the groups of a project's containers. Blocks.
 */
#pragma once

/* Removes /stack/PROJECT in every hierarchy; one that still has members stays. The last project
 * takes /stack with it. */
void cgroup_folders_drop(const char *project);
