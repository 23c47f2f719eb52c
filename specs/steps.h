/* specs/steps - what happens to the merged tree before it becomes a project. Internal to the load.
 *
 * In the order of the calls: finish (specs/finish), paths (specs/paths), environment, normalise,
 * profiles, env files, unused resources. Each works in place and notes problems. Blocks where it
 * says so.
 */
#pragma once
#include "specs/loader.h"

/* specs/environment: bare names of environment and build.args take the project's values. */
void environment_resolve(struct loader *loader, struct node *root);
/* Reads env_file and label_file of the services that are left. Blocks (disk). 0 or -1. */
int environment_read_files(struct loader *loader, struct node *root);

/* specs/normalise: default network, names of resources, implied dependencies. */
void normalise_names(struct loader *loader, struct node *root);
void normalise_services(struct loader *loader, struct node *root);

/* specs/profiles: which services are on. */
struct selection {
	struct texts active;   /* profiles */
	struct node *disabled; /* map of the services set aside */
};
int profiles_apply(struct loader *loader, struct node *root, struct selection *out_selection);
/* Keeps the chosen services and what they need; moves the others to selection->disabled. 0 or -1.
 */
int profiles_select(struct loader *loader, struct node *root, struct selection *selection);
/* Drops networks, volumes, secrets, configs and models that no service uses. */
void profiles_drop_unused(struct loader *loader, struct node *root);

/* specs/check: what no single key knows. 0 or -1. */
int check_project(struct loader *loader, const struct node *root, const struct project *project);
