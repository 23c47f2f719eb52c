/* specs/check - what no single key knows: names that refer to each other, twins, circles.
 *
 * Owns: the consistency of a project. May not touch: files, grammars of single keys.
 * Source: Compose Specification; order of docker compose.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "specs/steps.h"

struct checker {
	struct loader *loader;
	const struct node *root; /* for places */
	const struct project *project;
	const struct service *service;
	int result;
};

/* An error at a key of the service ("" for itself). */
static void complain(struct checker *checker, enum problem_kind kind, const char *key,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void complain(struct checker *checker, enum problem_kind kind, const char *key,
		     const char *fmt, ...)
{
	const char *path = arena_format(checker->loader->arena, "services.%s%s%s",
					checker->service->name, *key ? "." : "", key);
	AUTO(free) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	checker->result =
		problem_error(checker->loader->problems, kind, node_place_of(checker->root, path),
			      path, "%s", text ? text : "out of memory");
}

static const char *indexed(struct checker *checker, const char *key, size_t index)
{
	return arena_format(checker->loader->arena, "%s[%zu]", key, index);
}

static void check_source(struct checker *checker)
{
	const struct service *service = checker->service;
	const struct build *build = service->build;

	if (!service->image && !build && !service->provider)
		complain(checker, PROBLEM_MISSING, "",
			 "service %s has neither image nor build (nor provider)", service->name);
	if (!build)
		return;
	if (build->dockerfile && build->dockerfile_inline)
		complain(checker, PROBLEM_CONFLICT, "build",
			 "dockerfile and dockerfile_inline exclude each other");
	for (size_t i = 0; i < build->additional_contexts.count; i++) {
		const char *value = build->additional_contexts.items[i].value;
		const struct service *other;

		if (!value || !text_starts(value, "service:"))
			continue;
		other = project_find_service(checker->project, value + strlen("service:"));
		if (!other || !other->build)
			complain(checker, PROBLEM_REFERENCE, "build.additional_contexts",
				 "%s is no service that is built", value);
	}
	if (service->platform && build->platforms.count &&
	    !texts_has(&build->platforms, service->platform))
		complain(checker, PROBLEM_CONFLICT, "", "platform %s is not among build.platforms",
			 service->platform);
}

/* service:NAME of a mode key must be there. */
static void check_mode(struct checker *checker, const char *key, const char *mode)
{
	const char *name = mode && text_starts(mode, "service:") ? mode + strlen("service:") : NULL;

	if (name && !project_find_service(checker->project, name))
		complain(checker, PROBLEM_REFERENCE, key, "no service \"%s\"%s", name,
			 project_find_disabled(checker->project, name)
				 ? " is on (its profile is off)"
				 : "");
}

static void check_networks(struct checker *checker)
{
	const struct service *service = checker->service;

	if (service->network_mode && service->network_count)
		complain(checker, PROBLEM_CONFLICT, "network_mode",
			 "network_mode and networks exclude each other");
	for (size_t i = 0; i < service->network_count; i++) {
		const char *name = service->networks[i].network;

		if (!project_find_network(checker->project, name) &&
		    (strcmp(name, "default") != 0 ||
		     !(checker->loader->options->flags & LOAD_NO_NORMALIZE)))
			complain(checker, PROBLEM_REFERENCE, "networks",
				 "network \"%s\" is not declared below networks:", name);
	}
	check_mode(checker, "network_mode", service->network_mode);
	check_mode(checker, "ipc", service->ipc);
	check_mode(checker, "pid", service->pid);
	check_mode(checker, "uts", service->uts);
	check_mode(checker, "cgroup", service->cgroup);
}

static void check_healthcheck(struct checker *checker)
{
	static const char *const heads[] = { "NONE", "CMD", "CMD-SHELL", NULL };
	const struct healthcheck *healthcheck = checker->service->healthcheck;
	const struct command_words *test = healthcheck ? &healthcheck->test : NULL;
	bool known = false;

	if (!test || test->count == 0)
		return;
	for (size_t i = 0; heads[i]; i++)
		known |= strcmp(heads[i], test->items[0]) == 0;
	if (!known)
		complain(checker, PROBLEM_VALUE, "healthcheck.test",
			 "the list of a healthcheck starts with NONE, CMD or CMD-SHELL, not \"%s\"",
			 test->items[0]);
	else if (test->count == 1 && strcmp(test->items[0], "NONE") != 0)
		complain(checker, PROBLEM_VALUE, "healthcheck.test", "no command behind %s",
			 test->items[0]);
	if (healthcheck->probe)
		complain(checker, PROBLEM_CONFLICT, "healthcheck",
			 "test and x-stack exclude each other");
}

/* Does a list name it before its ':'? */
static bool lists_name(const struct texts *texts, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < texts->count; i++)
		if (strncmp(texts->items[i], name, len) == 0 &&
		    (texts->items[i][len] == ':' || !texts->items[i][len]))
			return true;
	return false;
}

static bool mode_names(const char *mode, const char *name)
{
	return mode && text_starts(mode, "service:") && strcmp(mode + 8, name) == 0;
}

static bool is_mode_of(const struct service *service, const char *name)
{
	return mode_names(service->network_mode, name) || mode_names(service->ipc, name) ||
	       mode_names(service->pid, name) || mode_names(service->uts, name) ||
	       mode_names(service->cgroup, name);
}

static void check_dependencies(struct checker *checker)
{
	const struct service *service = checker->service;

	for (size_t i = 0; i < service->depends_on_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];
		const char *name = dependency->service;
		const struct service *other = project_find_service(checker->project, name);
		const char *key = lists_name(&service->links, name)          ? "links"
				  : lists_name(&service->volumes_from, name) ? "volumes_from"
									     : NULL;

		if (other || is_mode_of(service, name))
			continue;
		if (!key)
			key = arena_format(checker->loader->arena, "depends_on.%s", name);
		if (!project_find_disabled(checker->project, name))
			complain(checker, PROBLEM_REFERENCE, key,
				 "service %s depends on \"%s\", which is not declared",
				 service->name, name);
		else if (dependency->required)
			complain(checker, PROBLEM_REFERENCE, key,
				 "service %s depends on \"%s\", whose profile is off (turn it on, "
				 "or say required: false)",
				 service->name, name);
	}
}

static void check_files(struct checker *checker, const char *key, const struct file_use *uses,
			size_t count, bool secrets)
{
	for (size_t i = 0; i < count; i++) {
		const char *source = uses[i].source;

		if (!(secrets ? project_find_secret(checker->project, source)
			      : project_find_config(checker->project, source)))
			complain(checker, PROBLEM_REFERENCE, indexed(checker, key, i),
				 "%s \"%s\" is not declared below %ss:",
				 secrets ? "secret" : "config", source,
				 secrets ? "secret" : "config");
	}
}

static void check_storage(struct checker *checker)
{
	const struct service *service = checker->service;

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (strcmp(mount->type, "volume") == 0 && mount->source &&
		    !project_find_volume(checker->project, mount->source))
			complain(checker, PROBLEM_REFERENCE, indexed(checker, "volumes", i),
				 "volume \"%s\" is not declared below volumes: (a path starts with "
				 "./ or /)",
				 mount->source);
		for (size_t k = 0; k < service->tmpfs.count; k++) {
			size_t len = strcspn(service->tmpfs.items[k], ":");

			if (strncmp(service->tmpfs.items[k], mount->target, len) == 0 &&
			    !mount->target[len])
				complain(checker, PROBLEM_DUPLICATE, indexed(checker, "volumes", i),
					 "%s is the target of tmpfs[%zu], too", mount->target, k);
		}
	}
	check_files(checker, "configs", service->configs, service->config_count, false);
	check_files(checker, "secrets", service->secrets, service->secret_count, true);
	if (service->build)
		check_files(checker, "build.secrets", service->build->secrets,
			    service->build->secret_count, true);
	for (size_t i = 0; i < service->model_count; i++) {
		bool found = false;

		for (size_t k = 0; k < checker->project->model_count; k++)
			found |= strcmp(checker->project->models[k].key,
					service->models[i].model) == 0;
		if (!found)
			complain(checker, PROBLEM_REFERENCE, "models",
				 "model \"%s\" is not declared below models:",
				 service->models[i].model);
	}
}

static void check_twins(struct checker *checker)
{
	const struct service *service = checker->service;
	const struct deploy *deploy = service->deploy;
	const struct resource_limits *limits =
		deploy && deploy->resources ? deploy->resources->limits : NULL;
	const struct resource_limits *reservations =
		deploy && deploy->resources ? deploy->resources->reservations : NULL;

	if (service->scale.is_set && deploy && deploy->replicas.is_set &&
	    service->scale.value != deploy->replicas.value)
		complain(checker, PROBLEM_CONFLICT, "",
			 "scale (%jd) and deploy.replicas (%jd) differ",
			 (intmax_t)service->scale.value, (intmax_t)deploy->replicas.value);
	if (limits && service->cpus.is_set &&
	    (service->cpus.value < limits->cpus.value || service->cpus.value > limits->cpus.value))
		complain(checker, PROBLEM_CONFLICT, "",
			 "cpus and deploy.resources.limits.cpus differ");
	if (limits && service->mem_limit.is_set && service->mem_limit.bytes != limits->memory.bytes)
		complain(checker, PROBLEM_CONFLICT, "",
			 "mem_limit and deploy.resources.limits.memory differ");
	if (limits && service->pids_limit.is_set && service->pids_limit.value != limits->pids.value)
		complain(checker, PROBLEM_CONFLICT, "",
			 "pids_limit and deploy.resources.limits.pids differ");
	if (reservations && service->mem_reservation.is_set &&
	    service->mem_reservation.bytes != reservations->memory.bytes)
		complain(checker, PROBLEM_CONFLICT, "",
			 "mem_reservation and deploy.resources.reservations.memory differ");
	if (service->container_name && service_replicas(service) > 1)
		complain(checker, PROBLEM_CONFLICT, "container_name",
			 "container_name excludes a scale above 1");
}

static void check_container_names(struct checker *checker)
{
	const struct project *project = checker->project;

	for (size_t i = 0; i < project->service_count; i++)
		for (size_t k = 0; project->services[i].container_name && k < i; k++) {
			const char *name = project->services[k].container_name;

			if (!name || strcmp(name, project->services[i].container_name) != 0)
				continue;
			checker->service = &project->services[i];
			complain(checker, PROBLEM_CONFLICT, "container_name",
				 "\"%s\" is the container_name of %s, too", name,
				 project->services[k].name);
		}
}

enum mark { UNSEEN, OPEN, DONE };

/* Depth first along depends_on; an open service that is met again closes a circle. */
static void visit(struct checker *checker, enum mark *marks, size_t *stack, size_t depth)
{
	const struct project *project = checker->project;
	const struct service *service = &project->services[stack[depth]];

	marks[stack[depth]] = OPEN;
	for (size_t i = 0; i < service->depends_on_count; i++) {
		const struct service *next =
			project_find_service(project, service->depends_on[i].service);
		size_t index = next ? (size_t)(next - project->services) : 0, from = depth;
		const char *chain;

		if (!next || marks[index] == DONE)
			continue;
		if (marks[index] == UNSEEN) {
			stack[depth + 1] = index;
			visit(checker, marks, stack, depth + 1);
			continue;
		}
		while (stack[from] != index)
			from--;
		chain = next->name;
		for (size_t k = from + 1; k <= depth; k++)
			chain = arena_format(checker->loader->arena, "%s -> %s", chain,
					     project->services[stack[k]].name);
		checker->service = next;
		complain(checker, PROBLEM_CYCLE, "depends_on", "a circle: %s -> %s", chain,
			 next->name);
	}
	marks[stack[depth]] = DONE;
}

static void check_circles(struct checker *checker)
{
	size_t count = checker->project->service_count;
	AUTO(free) enum mark *marks = xcalloc(count + 1, sizeof(*marks));
	AUTO(free) size_t *stack = xcalloc(count + 1, sizeof(*stack));

	for (size_t i = 0; i < count; i++)
		if (marks[i] == UNSEEN) {
			stack[0] = i;
			visit(checker, marks, stack, 0);
		}
}

int check_project(struct loader *loader, const struct node *root, const struct project *project)
{
	struct checker checker = { loader, root, project, NULL, 0 };

	for (size_t i = 0; i < project->service_count; i++) {
		checker.service = &project->services[i];
		check_source(&checker);
		check_networks(&checker);
		check_healthcheck(&checker);
		check_dependencies(&checker);
		check_storage(&checker);
		check_twins(&checker);
	}
	check_container_names(&checker);
	check_circles(&checker);
	return checker.result;
}
