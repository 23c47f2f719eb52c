/* tests/orchestrator/test_plan - mirrors orchestrator/plan: situations as rows of small texts.
 *
 * file:  "db web<db:h app*2<web" services; *N replicas, <NAME:CONDITION+... dependencies (s h c; r:
 * restart true; o: not required), /NETWORK networks, @VOLUME volumes, !N container_name,
 * %update_config: s start-first, a digit its parallelism. there: "web.1=r" containers; state c
 * created, r running, e exited, x broken, b restarting; then ~h another hash, ~i another image, ~c
 * other contents, ~l other limits, ~u a newcomer that has not taken over. "run:web.5=r" is a
 * one-off one. wanted: "create web.1 start web.1" in the plan's order; "kept N" and "orphans N" at
 * the end where not 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/plan.h"

#define MAX 64

struct row {
	enum plan_op op;
	unsigned flags;
	const char *named; /* services, blanks between */
	const char *file, *there, *wanted;
};

struct world {
	struct arena *arena;
	struct project project;
	struct plan_wanted wanted[MAX];
	struct seen seen;
	struct seen_container containers[MAX];
	struct seen_network networks[MAX];
	const char *volumes[MAX];
};

static const char *condition_of(char letter)
{
	return letter == 'h'   ? "service_healthy"
	       : letter == 'c' ? "service_completed_successfully"
			       : "service_started";
}

static void add_dependencies(struct arena *arena, struct service *service, char *text)
{
	char *save = NULL;

	for (char *one = strtok_r(text, "+", &save); one; one = strtok_r(NULL, "+", &save)) {
		struct dependency *dep = arena_grow(arena, &service->depends_on,
						    &service->depends_on_count, sizeof(*dep));
		char *letters = strchr(one, ':');

		dep->required = true;
		dep->condition = condition_of('s');
		for (char *c = letters ? letters + 1 : letters; c && *c; c++) {
			if (*c == 'r')
				dep->restart = true;
			else if (*c == 'o')
				dep->required = false;
			else
				dep->condition = condition_of(*c);
		}
		if (letters)
			*letters = '\0';
		dep->service = arena_strdup(arena, one);
	}
}

static void add_network(struct world *w, struct service *service, const char *key)
{
	struct attachment *attachment = arena_grow(w->arena, &service->networks,
						   &service->network_count, sizeof(*attachment));
	struct network *network;

	attachment->network = arena_strdup(w->arena, key);
	if (project_find_network(&w->project, key))
		return;
	network = arena_grow(w->arena, &w->project.networks, &w->project.network_count,
			     sizeof(*network));
	network->key = attachment->network;
	network->name = arena_format(w->arena, "p_%s", key);
	network->external = key[0] == 'x';
}

static void add_volume(struct world *w, struct service *service, const char *key)
{
	struct mount *mount =
		arena_grow(w->arena, &service->volumes, &service->volume_count, sizeof(*mount));
	struct volume *volume;

	mount->type = "volume";
	mount->source = arena_strdup(w->arena, key);
	mount->target = "/data";
	if (project_find_volume(&w->project, key))
		return;
	volume = arena_grow(w->arena, &w->project.volumes, &w->project.volume_count,
			    sizeof(*volume));
	volume->key = mount->source;
	volume->name = arena_format(w->arena, "p_%s", key);
	volume->external = key[0] == 'x';
}

static void add_update(struct arena *arena, struct service *service, const char *text)
{
	struct update_config *update = arena_alloc(arena, sizeof(*update));

	service->deploy = arena_alloc(arena, sizeof(*service->deploy));
	service->deploy->update_config = update;
	for (; *text; text++) {
		if (*text == 's')
			update->order = "start-first";
		else
			update->parallelism = (struct opt_int){ *text - '0', true };
	}
}

/* One word of the file: NAME and marks, each with its text up to the next mark. */
static void add_service(struct world *w, char *word)
{
	static const char marks[] = "*</@!%";
	struct service *service = arena_grow(w->arena, &w->project.services,
					     &w->project.service_count, sizeof(*service));
	size_t len = strcspn(word, marks);
	char *at = word + len;

	service->name = arena_strndup(w->arena, word, len);
	service->image = "i";
	while (*at) {
		char mark = *at++;
		size_t part = strcspn(at, marks);
		char *text = arena_strndup(w->arena, at, part);

		at += part;
		if (mark == '*')
			service->scale = (struct opt_int){ atoi(text), true };
		else if (mark == '<')
			add_dependencies(w->arena, service, text);
		else if (mark == '/')
			add_network(w, service, text);
		else if (mark == '@')
			add_volume(w, service, text);
		else if (mark == '%')
			add_update(w->arena, service, text);
		else
			service->container_name = text;
	}
	w->wanted[w->project.service_count - 1] = (struct plan_wanted){ .config_hash = "hash",
									.fixed_hash = "fixed",
									.image_id = "image" };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

/* The model keeps its lists by key: look-ups rely on it. */
static int network_by_key(const void *a, const void *b)
{
	return strcmp(((const struct network *)a)->key, ((const struct network *)b)->key);
}

static int volume_by_key(const void *a, const void *b)
{
	return strcmp(((const struct volume *)a)->key, ((const struct volume *)b)->key);
}

static int container_by_slot(const void *a, const void *b)
{
	const struct seen_container *left = a, *right = b;
	int order = strcmp(left->service, right->service);

	return order ? order : (int)left->slot - (int)right->slot;
}

static enum seen_state state_of(char letter)
{
	switch (letter) {
	case 'c':
		return SEEN_CREATED;
	case 'r':
		return SEEN_RUNNING;
	case 'b':
		return SEEN_RESTARTING;
	case 'x':
		return SEEN_BROKEN;
	default:
		return SEEN_EXITED;
	}
}

static void add_container(struct world *w, char *word)
{
	struct seen_container *seen = &w->containers[w->seen.container_count++];
	bool oneoff = strncmp(word, "run:", 4) == 0;
	char *name = oneoff ? word + 4 : word, *dot = strchr(name, '.'), *sign = strchr(name, '=');

	*sign = '\0';
	seen->name = arena_strdup(w->arena, name);
	seen->id = arena_format(w->arena, "id-%s", name);
	*dot = '\0';
	seen->service = arena_strdup(w->arena, name);
	seen->slot = (unsigned)atoi(dot + 1);
	seen->oneoff = oneoff;
	seen->state = state_of(sign[1]);
	seen->config_hash = strstr(sign + 2, "~h") || strstr(sign + 2, "~l") ? "other" : "hash";
	seen->fixed_hash = strstr(sign + 2, "~h") ? "other" : "fixed";
	seen->unsettled = strstr(sign + 2, "~u") != NULL;
	seen->image_id = strstr(sign + 2, "~i") ? "other" : "image";
	seen->contents = strstr(sign + 2, "~c") ? "other" : NULL;
}

/* "net:default" and "net:default!" (changed), "vol:data", else containers. */
static void add_there(struct world *w, char *word)
{
	if (strncmp(word, "net:", 4) == 0) {
		struct seen_network *network = &w->networks[w->seen.network_count++];
		char *mark = strchr(word, '!');

		network->changed = mark != NULL;
		if (mark)
			*mark = '\0';
		network->name = arena_format(w->arena, "p_%s", word + 4);
	} else if (strncmp(word, "vol:", 4) == 0) {
		w->volumes[w->seen.volume_count++] = arena_format(w->arena, "p_%s", word + 4);
	} else {
		add_container(w, word);
	}
}

static void each_word(struct world *w, const char *text, void (*add)(struct world *, char *))
{
	char *copy = arena_strdup(w->arena, text), *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		add(w, word);
}

static void build(struct world *w, const char *file, const char *there)
{
	memset(w, 0, sizeof(*w));
	w->arena = arena_new();
	w->project.name = "p";
	each_word(w, file, add_service);
	if (w->project.service_count)
		qsort(w->project.services, w->project.service_count, sizeof(struct service),
		      by_name);
	if (w->project.network_count)
		qsort(w->project.networks, w->project.network_count, sizeof(struct network),
		      network_by_key);
	if (w->project.volume_count)
		qsort(w->project.volumes, w->project.volume_count, sizeof(struct volume),
		      volume_by_key);
	w->seen.containers = w->containers;
	w->seen.networks = w->networks;
	w->seen.volumes = w->volumes;
	each_word(w, there, add_there);
	qsort(w->containers, w->seen.container_count, sizeof(*w->containers), container_by_slot);
}

static void describe(const struct world *w, const struct plan *plan, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < plan->count; i++) {
		const struct action *action = &plan->actions[i];

		if (action->service)
			len += (size_t)snprintf(out + len, size - len, "%s%s %s.%u", len ? " " : "",
						action_kind_name(action->kind), action->service,
						action->slot);
		else
			len += (size_t)snprintf(out + len, size - len, "%s%s %s", len ? " " : "",
						action_kind_name(action->kind), action->name);
	}
	if (plan->kept_count)
		len += (size_t)snprintf(out + len, size - len, "%skept %zu", len ? " " : "",
					plan->kept_count);
	if (plan->orphan_count)
		snprintf(out + len, size - len, "%sorphans %zu", len ? " " : "",
			 plan->orphan_count);
	(void)w;
}

static int make(struct world *w, const struct row *row, struct plan *plan, struct err *err)
{
	static const char *names[MAX];
	struct plan_options options = { .op = row->op, .flags = row->flags, .services = names };
	char *copy = arena_strdup(w->arena, row->named ? row->named : ""), *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		names[options.service_count++] = word;
	return plan_make(w->arena, &w->project, w->wanted, &w->seen, &options, plan, err);
}

/* clang-format off */
static const struct row rows[] = {
	/* nothing there yet */
	{ PLAN_UP, 0, NULL, "web", "", "create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "", "", "" },
	{ PLAN_UP, 0, NULL, "a b c", "", "create a.1 start a.1 create b.1 start b.1 create c.1 start c.1" },
	{ PLAN_UP, 0, NULL, "web*3", "", "create web.1 start web.1 create web.2 start web.2 create web.3 start web.3" },
	{ PLAN_UP, 0, NULL, "web*0", "", "" },
	{ PLAN_CREATE, 0, NULL, "web", "", "create web.1" },
	{ PLAN_CREATE, 0, NULL, "web*2", "", "create web.1 create web.2" },
	{ PLAN_UP, 0, NULL, "web/default", "", "create-network default create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "a/default b/default", "", "create-network default create a.1 start a.1 create b.1 start b.1" },
	{ PLAN_UP, 0, NULL, "a/front b/back", "", "create-network back create-network front create a.1 start a.1 create b.1 start b.1" },
	{ PLAN_UP, 0, NULL, "a/xout", "", "create a.1 start a.1" },
	{ PLAN_UP, 0, NULL, "a@data", "", "create-volume data create a.1 start a.1" },
	{ PLAN_UP, 0, NULL, "a@xdata", "", "create a.1 start a.1" },
	{ PLAN_UP, 0, NULL, "a@data b@data", "", "create-volume data create a.1 start a.1 create b.1 start b.1" },
	{ PLAN_CREATE, 0, NULL, "a/default@data", "", "create-network default create-volume data create a.1" },
	/* it is there, in each state */
	{ PLAN_UP, 0, NULL, "web", "web.1=r", "kept 1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=b", "kept 1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=e", "start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=c", "start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=x", "remove web.1 create web.1 start web.1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=r", "kept 1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=e", "" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=c", "" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=x", "remove web.1 create web.1" },
	{ PLAN_UP, 0, NULL, "web/default", "web.1=r net:default", "kept 1" },
	{ PLAN_UP, 0, NULL, "web@data", "web.1=r vol:data", "kept 1" },
	{ PLAN_UP, 0, NULL, "web/default", "net:default", "create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web@data", "vol:data", "create web.1 start web.1" },
	/* it differs */
	{ PLAN_UP, 0, NULL, "web", "web.1=r~h", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=e~h", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=b~h", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r~i", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=c~i", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r~c", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=r~h", "stop web.1 remove web.1 create web.1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=e~i", "remove web.1 create web.1" },
	{ PLAN_UP, 0, NULL, "a b", "a.1=r b.1=r~h", "stop b.1 remove b.1 create b.1 start b.1 kept 1" },
	{ PLAN_UP, 0, NULL, "a b c", "a.1=r~h b.1=r c.1=r", "stop a.1 remove a.1 create a.1 start a.1 kept 2" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=r web.2=r~h", "stop web.2 remove web.2 create web.2 start web.2 kept 1" },
	{ PLAN_UP, 0, NULL, "web/default", "web.1=r net:default!", "remove-network default create-network default stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "a/front b/back", "a.1=r b.1=r net:front! net:back", "remove-network front create-network front stop a.1 remove a.1 create a.1 start a.1 kept 1" },
	{ PLAN_UP, 0, NULL, "a/xout", "a.1=r net:xout!", "kept 1" },
	/* --no-recreate, --force-recreate, -V, --always-recreate-deps */
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=r~h", "kept 1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=r~i", "kept 1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=e~h", "start web.1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=x", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "a b", "a.1=r~h", "create b.1 start b.1 kept 1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, NULL, "web", "web.1=r", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, NULL, "web", "web.1=e", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, NULL, "web", "", "create web.1 start web.1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, "web", "db web<db", "db.1=r web.1=r", "stop web.1 remove web.1 create web.1 start web.1 kept 1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE | PLAN_RECREATE_DEPS, "web", "db web<db", "db.1=r web.1=r", "stop db.1 remove db.1 create db.1 start db.1 stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_RECREATE_DEPS, "web", "db web<db", "db.1=r web.1=r", "stop db.1 remove db.1 create db.1 start db.1 kept 1" },
	{ PLAN_UP, PLAN_RECREATE_DEPS, NULL, "db web<db", "db.1=r web.1=r", "kept 2" },
	{ PLAN_UP, PLAN_RENEW_ANONYMOUS, NULL, "web", "web.1=r", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_CREATE, PLAN_FORCE_RECREATE, NULL, "web", "web.1=r", "stop web.1 remove web.1 create web.1" },
	/* scale */
	{ PLAN_UP, 0, NULL, "web*3", "web.1=r", "create web.2 start web.2 create web.3 start web.3 kept 1" },
	{ PLAN_UP, 0, NULL, "web*3", "web.2=r", "create web.1 start web.1 create web.3 start web.3 kept 1" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=r web.3=r", "kept 2" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r web.2=r web.3=r", "stop web.2 remove web.2 stop web.3 remove web.3 kept 1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r web.2=e", "remove web.2 kept 1" },
	{ PLAN_UP, 0, NULL, "web*0", "web.1=r web.2=r", "stop web.1 remove web.1 stop web.2 remove web.2" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=e web.2=r", "start web.1 kept 1" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=r~h web.2=r~h", "stop web.1 remove web.1 create web.1 start web.1 stop web.2 remove web.2 create web.2 start web.2" },
	{ PLAN_UP, 0, NULL, "web*1", "web.4=r", "kept 1" },
	{ PLAN_CREATE, 0, NULL, "web*3", "web.1=r", "create web.2 create web.3 kept 1" },
	/* one-off containers are nobody's replica */
	{ PLAN_UP, 0, NULL, "web", "run:web.0=r", "create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r run:web.0=r", "kept 1" },
	{ PLAN_STOP, 0, NULL, "web", "run:web.0=r", "" },
	{ PLAN_DOWN, 0, NULL, "web", "web.1=r run:web.0=r", "stop web.1 remove web.1" },
	{ PLAN_DOWN, PLAN_REMOVE_ORPHANS, NULL, "web", "run:web.0=r", "stop web.0 remove web.0" },
	{ PLAN_REMOVE, 0, NULL, "web", "run:web.0=e", "remove web.0" },
	/* dependencies and selection */
	{ PLAN_UP, 0, NULL, "web<db db", "", "create db.1 start db.1 create web.1 start web.1" },
	{ PLAN_UP, 0, "web", "web<db db other", "", "create db.1 start db.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_NO_DEPS, "web", "web<db db", "", "create web.1 start web.1" },
	{ PLAN_UP, 0, "db", "web<db db", "", "create db.1 start db.1" },
	{ PLAN_UP, 0, "c", "a b<a c<b", "", "create a.1 start a.1 create b.1 start b.1 create c.1 start c.1" },
	{ PLAN_UP, 0, "c", "a b<a c<b", "a.1=r b.1=e", "start b.1 create c.1 start c.1 kept 1" },
	{ PLAN_UP, 0, "web", "web<db:o", "", "create web.1 start web.1" },
	{ PLAN_UP, 0, "a b", "a b c", "", "create a.1 start a.1 create b.1 start b.1" },
	{ PLAN_CREATE, 0, "web", "web<db db", "", "create db.1 create web.1" },
	{ PLAN_UP, 0, "web", "web/front db/back", "", "create-network front create web.1 start web.1" },
	{ PLAN_UP, 0, "web", "web@data db@more", "", "create-volume data create web.1 start web.1" },
	/* restart: true, shared namespaces */
	{ PLAN_UP, 0, NULL, "db web<db:r", "db.1=r~h web.1=r", "stop db.1 remove db.1 create db.1 start db.1 stop web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "db web<db", "db.1=r~h web.1=r", "stop db.1 remove db.1 create db.1 start db.1 kept 1" },
	{ PLAN_UP, 0, NULL, "db web<db:r", "db.1=r web.1=r", "kept 2" },
	{ PLAN_UP, 0, NULL, "db web<db:r", "db.1=e web.1=r", "start db.1 kept 1" },
	{ PLAN_UP, 0, NULL, "db web<db:r", "db.1=r~h web.1=e", "stop db.1 remove db.1 create db.1 start db.1 start web.1" },
	{ PLAN_UP, 0, "db", "db web<db:r", "db.1=r~h web.1=r", "stop db.1 remove db.1 create db.1 start db.1 stop web.1 start web.1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "db web<db:r", "db.1=r~h web.1=r", "kept 2" },
	/* orphans */
	{ PLAN_UP, 0, NULL, "web", "web.1=r old.1=r", "kept 1 orphans 1" },
	{ PLAN_UP, PLAN_REMOVE_ORPHANS, NULL, "web", "web.1=r old.1=r", "stop old.1 remove old.1 kept 1" },
	{ PLAN_UP, PLAN_REMOVE_ORPHANS, NULL, "web", "web.1=r old.1=e", "remove old.1 kept 1" },
	{ PLAN_UP, 0, NULL, "", "old.1=r old.2=r", "orphans 2" },
	{ PLAN_DOWN, 0, NULL, "web", "web.1=r old.1=r", "stop web.1 remove web.1 orphans 1" },
	{ PLAN_DOWN, PLAN_REMOVE_ORPHANS, NULL, "web", "web.1=r old.1=r", "stop old.1 remove old.1 stop web.1 remove web.1" },
	{ PLAN_CREATE, PLAN_REMOVE_ORPHANS, NULL, "web", "old.1=r", "create web.1 stop old.1 remove old.1" },
	/* start */
	{ PLAN_START, 0, NULL, "web", "web.1=e", "start web.1" },
	{ PLAN_START, 0, NULL, "web", "web.1=c", "start web.1" },
	{ PLAN_START, 0, NULL, "web", "web.1=r", "kept 1" },
	{ PLAN_START, 0, NULL, "web", "web.1=b", "kept 1" },
	{ PLAN_START, 0, "web", "web<db db", "web.1=e db.1=e", "start db.1 start web.1" },
	{ PLAN_START, PLAN_NO_DEPS, "web", "web<db db", "web.1=e db.1=e", "start web.1" },
	{ PLAN_START, 0, NULL, "web*2", "web.1=e web.2=e", "start web.1 start web.2" },
	{ PLAN_START, 0, "web", "web other", "web.1=e other.1=e", "start web.1" },
	{ PLAN_START, 0, NULL, "web", "web.1=e~h", "start web.1" },
	/* stop */
	{ PLAN_STOP, 0, NULL, "web", "web.1=r", "stop web.1" },
	{ PLAN_STOP, 0, NULL, "web", "web.1=e", "" },
	{ PLAN_STOP, 0, NULL, "web", "web.1=b", "stop web.1" },
	{ PLAN_STOP, 0, NULL, "web", "", "" },
	{ PLAN_STOP, 0, "web", "web<db db", "web.1=r db.1=r", "stop web.1" },
	{ PLAN_STOP, 0, NULL, "web<db db", "db.1=r web.1=r", "stop db.1 stop web.1" },
	{ PLAN_STOP, 0, NULL, "web", "web.1=r old.1=r", "stop old.1 stop web.1" },
	{ PLAN_STOP, 0, "old", "web", "web.1=r old.1=r", "stop old.1" },
	/* restart */
	{ PLAN_RESTART, 0, NULL, "web", "web.1=r", "stop web.1 start web.1" },
	{ PLAN_RESTART, 0, NULL, "web", "web.1=e", "start web.1" },
	{ PLAN_RESTART, 0, NULL, "web", "", "" },
	{ PLAN_RESTART, 0, "web", "web<db db", "web.1=r db.1=r", "stop web.1 start web.1" },
	{ PLAN_RESTART, 0, "db", "web<db db", "web.1=r db.1=r", "stop db.1 start db.1" },
	{ PLAN_RESTART, 0, "db", "web<db:r db", "web.1=r db.1=r", "stop db.1 start db.1 stop web.1 start web.1" },
	{ PLAN_RESTART, PLAN_NO_DEPS, "db", "web<db:r db", "web.1=r db.1=r", "stop db.1 start db.1" },
	{ PLAN_RESTART, 0, NULL, "web*2", "web.1=r web.2=r", "stop web.1 start web.1 stop web.2 start web.2" },
	{ PLAN_RESTART, 0, NULL, "web", "web.1=r~h", "stop web.1 start web.1" },
	{ PLAN_RESTART, 0, NULL, "web", "web.1=x", "" },
	/* rm */
	{ PLAN_REMOVE, 0, NULL, "web", "web.1=e", "remove web.1" },
	{ PLAN_REMOVE, 0, NULL, "web", "web.1=c", "remove web.1" },
	{ PLAN_REMOVE, 0, NULL, "web", "web.1=r", "" },
	{ PLAN_REMOVE, PLAN_STOP_FIRST, NULL, "web", "web.1=r", "stop web.1 remove web.1" },
	{ PLAN_REMOVE, 0, "a", "a b", "a.1=e b.1=e", "remove a.1" },
	{ PLAN_REMOVE, 0, NULL, "web", "web.1=x", "remove web.1" },
	{ PLAN_REMOVE, 0, "old", "web", "old.1=e", "remove old.1" },
	/* down */
	{ PLAN_DOWN, 0, NULL, "web", "web.1=r", "stop web.1 remove web.1" },
	{ PLAN_DOWN, 0, NULL, "web", "web.1=e", "remove web.1" },
	{ PLAN_DOWN, 0, NULL, "web", "", "" },
	{ PLAN_DOWN, 0, NULL, "web/default", "web.1=r net:default", "stop web.1 remove web.1 remove-network p_default" },
	{ PLAN_DOWN, 0, NULL, "web/default", "net:default", "remove-network p_default" },
	{ PLAN_DOWN, 0, NULL, "web@data", "web.1=r vol:data", "stop web.1 remove web.1" },
	{ PLAN_DOWN, PLAN_VOLUMES, NULL, "web@data", "web.1=r vol:data", "stop web.1 remove web.1 remove-volume data" },
	{ PLAN_DOWN, PLAN_VOLUMES, NULL, "web@xdata", "web.1=r vol:xdata", "stop web.1 remove web.1" },
	{ PLAN_DOWN, PLAN_VOLUMES, NULL, "web@data", "", "" },
	{ PLAN_DOWN, 0, "web", "web<db db", "web.1=r db.1=r net:default", "stop web.1 remove web.1" },
	{ PLAN_DOWN, 0, NULL, "web*2", "web.1=r web.2=e", "stop web.1 remove web.1 remove web.2" },
	{ PLAN_DOWN, 0, NULL, "web", "web.1=x", "remove web.1" },
	{ PLAN_DOWN, 0, NULL, "web/default", "old.1=r net:default", "orphans 1" },
	{ PLAN_DOWN, PLAN_REMOVE_ORPHANS, NULL, "web/default", "old.1=r net:default", "stop old.1 remove old.1 remove-network p_default" },
	/* two things at once */
	{ PLAN_UP, 0, NULL, "db*2 web<db", "db.1=r~h web.1=e", "stop db.1 remove db.1 create db.1 start db.1 create db.2 start db.2 start web.1" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=x web.2=e~i", "remove web.1 create web.1 start web.1 remove web.2 create web.2 start web.2" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=r~h web.2=r web.3=r", "stop web.1 remove web.1 kept 2" },
	{ PLAN_UP, 0, NULL, "web*2", "web.2=e web.5=r", "start web.2 kept 1" },
	{ PLAN_UP, 0, NULL, "web*4", "web.2=r web.4=r", "create web.1 start web.1 create web.3 start web.3 kept 2" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, NULL, "web*2", "web.1=r", "stop web.1 remove web.1 create web.1 start web.1 create web.2 start web.2" },
	{ PLAN_UP, PLAN_FORCE_RECREATE | PLAN_NO_DEPS, "web", "db web<db", "db.1=e web.1=r", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_RENEW_ANONYMOUS, "web", "db web<db", "db.1=r web.1=r", "stop web.1 remove web.1 create web.1 start web.1 kept 1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web*2", "web.1=r~h", "create web.2 start web.2 kept 1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=r~h web.2=r~h", "stop web.2 remove web.2 kept 1" },
	{ PLAN_UP, 0, NULL, "a b<a:r c<b:r", "a.1=r~h b.1=r c.1=r", "stop a.1 remove a.1 create a.1 start a.1 stop b.1 start b.1 kept 1" },
	{ PLAN_UP, 0, NULL, "web/default@data", "web.1=r~h net:default vol:data", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, "web", "web/front db/back", "net:back!", "create-network front create web.1 start web.1" },
	{ PLAN_UP, 0, "web", "web old2", "web.1=r old.1=r", "kept 1 orphans 1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=b", "kept 1" },
	{ PLAN_CREATE, 0, NULL, "web*1", "web.1=e web.2=e", "remove web.2" },
	{ PLAN_START, 0, NULL, "web*2", "web.1=r web.2=e", "start web.2 kept 1" },
	{ PLAN_START, 0, NULL, "a b<a c<b", "a.1=e b.1=e c.1=e", "start a.1 start b.1 start c.1" },
	{ PLAN_STOP, 0, "a b", "a b c", "a.1=r b.1=r c.1=r", "stop a.1 stop b.1" },
	{ PLAN_STOP, 0, NULL, "web*3", "web.1=r web.2=e web.3=b", "stop web.1 stop web.3" },
	{ PLAN_RESTART, 0, "a c", "a b c", "a.1=r b.1=r c.1=e", "stop a.1 start a.1 start c.1" },
	{ PLAN_RESTART, 0, NULL, "web", "web.1=r run:web.0=r", "stop web.1 start web.1" },
	{ PLAN_RESTART, 0, NULL, "web", "web.1=r old.1=r", "stop web.1 start web.1" },
	{ PLAN_REMOVE, 0, NULL, "web*3", "web.1=e web.2=r web.3=c", "remove web.1 remove web.3" },
	{ PLAN_REMOVE, PLAN_STOP_FIRST, NULL, "web", "web.1=b", "stop web.1 remove web.1" },
	{ PLAN_DOWN, 0, NULL, "a/front b/back", "a.1=r b.1=e net:back net:front", "stop a.1 remove a.1 remove b.1 remove-network p_back remove-network p_front" },
	{ PLAN_DOWN, PLAN_VOLUMES, NULL, "web@data db@more", "vol:data vol:more", "remove-volume data remove-volume more" },
	{ PLAN_DOWN, PLAN_VOLUMES, "web", "web@data", "web.1=r vol:data", "stop web.1 remove web.1" },
	{ PLAN_DOWN, 0, NULL, "web/default", "run:web.0=r net:default", "" },
	{ PLAN_DOWN, 0, NULL, "web", "web.1=b", "stop web.1 remove web.1" },
	{ PLAN_NOTHING, 0, NULL, "web", "web.1=r", "" },
	/* restore: the named ones alone, conditions hold */
	{ PLAN_UP, PLAN_ONLY_NAMED | PLAN_NO_RECREATE, "web", "db web<db", "db.1=e web.1=e~h", "start web.1" },
	{ PLAN_UP, PLAN_ONLY_NAMED | PLAN_NO_RECREATE, "web db", "db web<db", "db.1=e web.1=e", "start db.1 start web.1" },
	/* policy and limits in place */
	{ PLAN_UP, 0, NULL, "web", "web.1=r~l", "update web.1 kept 1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=e~l", "update web.1 start web.1" },
	{ PLAN_CREATE, 0, NULL, "web", "web.1=r~l", "update web.1 kept 1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=r~l~i", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web", "web.1=x~l", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, PLAN_NO_RECREATE, NULL, "web", "web.1=r~l", "kept 1" },
	{ PLAN_UP, PLAN_FORCE_RECREATE, NULL, "web", "web.1=r~l", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web*2", "web.1=r~l web.2=r~l", "update web.1 update web.2 kept 2" },
	/* rolling updates */
	{ PLAN_UP, 0, NULL, "web%1", "web.1=r~h", "stop web.1 remove web.1 create web.1 start web.1 settle web.1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=r~h", "create web.2 start web.2 settle web.2 stop web.1 remove web.1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.2=r~h", "create web.1 start web.1 settle web.1 stop web.2 remove web.2" },
	{ PLAN_UP, 0, NULL, "web%s*2", "web.1=r~h web.2=r~h", "create web.3 start web.3 settle web.3 stop web.1 remove web.1 create web.4 start web.4 settle web.4 stop web.2 remove web.2" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=e~h", "remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=r", "kept 1" },
	{ PLAN_UP, 0, NULL, "web%s!only", "web.1=r~h", "stop web.1 remove web.1 create web.1 start web.1 settle web.1" },
	{ PLAN_CREATE, 0, NULL, "web%s", "web.1=r~h", "stop web.1 remove web.1 create web.1" },
	{ PLAN_UP, PLAN_ROLLBACK, NULL, "web%s", "web.1=r~h", "stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=r~h web.2=r", "stop web.1 remove web.1 kept 1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=r web.2=r~h", "stop web.2 remove web.2 kept 1" },
	{ PLAN_UP, 0, NULL, "web%s", "web.1=r~h web.2=r~u", "create web.3 start web.3 settle web.3 stop web.1 remove web.1 stop web.2 remove web.2" },
	{ PLAN_UP, 0, NULL, "web%s/front", "web.1=r~h net:front!", "remove-network front create-network front stop web.1 remove web.1 create web.1 start web.1" },
	{ PLAN_UP, 0, NULL, "db%1 web%s<db", "db.1=r~h web.1=r~h", "stop db.1 remove db.1 create db.1 start db.1 settle db.1 create web.2 start web.2 settle web.2 stop web.1 remove web.1" },
	{ PLAN_UP, 0, NULL, "db%s web%1*2<db:r", "db.1=r~h web.1=r~h web.2=r~h", "create db.2 start db.2 settle db.2 stop db.1 remove db.1 stop web.1 remove web.1 create web.1 start web.1 settle web.1 stop web.2 remove web.2 create web.2 start web.2 settle web.2" },
	{ PLAN_UP, 0, NULL, "web%2*3", "web.1=r~h web.2=r~h web.3=r~h", "stop web.1 remove web.1 create web.1 start web.1 settle web.1 stop web.2 remove web.2 create web.2 start web.2 settle web.2 stop web.3 remove web.3 create web.3 start web.3 settle web.3" },
	{ PLAN_UP, 0, NULL, "web%s*1", "web.1=r~h web.2=r~h", "create web.3 start web.3 settle web.3 stop web.1 remove web.1 stop web.2 remove web.2" },
	{ PLAN_UP, 0, NULL, "web%s*3", "web.1=r~h", "create web.2 start web.2 settle web.2 stop web.1 remove web.1 create web.3 start web.3 create web.4 start web.4" },
};
/* clang-format on */

/* Every action comes to its turn. */
static bool has_an_order(const struct world *w, const struct plan *plan)
{
	bool *over = arena_alloc(w->arena, plan->count + 1);
	size_t left = plan->count;

	for (bool moved = true; moved && left;) {
		moved = false;
		for (size_t i = 0; i < plan->count; i++) {
			bool may = !over[i];

			for (size_t k = 0; may && k < plan->actions[i].after_count; k++)
				may = over[plan->actions[i].after[k]];
			over[i] |= may;
			moved |= may;
			left -= may;
		}
	}
	return left == 0;
}

static void situations(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		struct world w;
		struct plan plan;
		char got[4096];

		build(&w, rows[i].file, rows[i].there);
		if (make(&w, &rows[i], &plan, &err) < 0)
			snprintf(got, sizeof(got), "error: %s", err.msg);
		else if (!has_an_order(&w, &plan))
			snprintf(got, sizeof(got), "a circle");
		else
			describe(&w, &plan, got, sizeof(got));
		if (strcmp(got, rows[i].wanted) != 0)
			print_error("row %zu: op %d file \"%s\" there \"%s\":\n wanted %s\n got    "
				    "%s\n",
				    i, rows[i].op, rows[i].file, rows[i].there, rows[i].wanted,
				    got);
		wrong += strcmp(got, rows[i].wanted) != 0;
		arena_free(w.arena);
	}
	assert_int_equal(wrong, 0);
	assert_true(sizeof(rows) / sizeof(*rows) >= 150);
}

static void refuses(const char *file, struct plan_options options, const char *text)
{
	struct err err = ERR_NONE;
	struct world w;
	struct plan plan;

	build(&w, file, "");
	assert_int_equal(plan_make(w.arena, &w.project, w.wanted, &w.seen, &options, &plan, &err),
			 -1);
	assert_non_null(strstr(err.msg, text));
	arena_free(w.arena);
}

static void what_cannot_be_is_refused_by_name(void **state)
{
	const char *const nope[] = { "nope" };
	const struct plan_scale nobody = { "nope", 2 }, two = { "web", 2 }, many = { "web", 20000 };

	(void)state;
	refuses("web", (struct plan_options){ .op = PLAN_UP, .services = nope, .service_count = 1 },
		"no such service: nope");
	refuses("web",
		(struct plan_options){ .op = PLAN_DOWN, .services = nope, .service_count = 1 },
		"no such service: nope");
	refuses("web", (struct plan_options){ .op = PLAN_UP, .scale = &nobody, .scale_count = 1 },
		"no such service: nope");
	refuses("web!only", (struct plan_options){ .op = PLAN_UP, .scale = &two, .scale_count = 1 },
		"allows only one replica");
	refuses("web", (struct plan_options){ .op = PLAN_UP, .scale = &many, .scale_count = 1 },
		"20000 replicas");
	refuses("web", (struct plan_options){ .op = PLAN_START }, "has no container");
}

static size_t index_of(const struct plan *plan, enum action_kind kind, const char *service)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->actions[i].kind == kind && plan->actions[i].service &&
		    strcmp(plan->actions[i].service, service) == 0)
			return i;
	fail_msg("no %s of %s", action_kind_name(kind), service);
	return 0;
}

static bool waits(const struct plan *plan, size_t then, size_t first)
{
	for (size_t i = 0; i < plan->actions[then].after_count; i++)
		if (plan->actions[then].after[i] == first)
			return true;
	return false;
}

static void starts_wait_for_what_they_need(void **state)
{
	struct row row = { .op = PLAN_UP, .file = "db web<db:h/default", .there = "" };
	struct err err = ERR_NONE;
	struct world w;
	struct plan plan;
	size_t web;

	(void)state;
	build(&w, row.file, row.there);
	assert_int_equal(make(&w, &row, &plan, &err), 0);
	web = index_of(&plan, ACTION_START, "web");
	assert_true(waits(&plan, web, index_of(&plan, ACTION_START, "db")));
	assert_true(waits(&plan, web, index_of(&plan, ACTION_CREATE, "web")));
	assert_true(waits(&plan, index_of(&plan, ACTION_CREATE, "web"), 0)); /* its network */
	assert_false(waits(&plan, index_of(&plan, ACTION_START, "db"), web));
	assert_int_equal(plan.actions[web].wait_count, 1);
	assert_string_equal(plan.actions[web].waits[0].condition, "service_healthy");
	arena_free(w.arena);
}

static void stops_go_the_other_way(void **state)
{
	struct row row = { .op = PLAN_DOWN,
			   .file = "db web<db",
			   .there = "db.1=r web.1=r net:default" };
	struct err err = ERR_NONE;
	struct world w;
	struct plan plan;

	(void)state;
	build(&w, row.file, row.there);
	assert_int_equal(make(&w, &row, &plan, &err), 0);
	assert_true(waits(&plan, index_of(&plan, ACTION_STOP, "db"),
			  index_of(&plan, ACTION_STOP, "web")));
	assert_true(waits(&plan, index_of(&plan, ACTION_REMOVE, "db"),
			  index_of(&plan, ACTION_STOP, "db")));
	assert_int_equal(plan.actions[plan.count - 1].kind, ACTION_REMOVE_NETWORK);
	assert_true(waits(&plan, plan.count - 1, index_of(&plan, ACTION_STOP, "db")));
	assert_false(waits(&plan, plan.count - 1, index_of(&plan, ACTION_REMOVE, "db")));
	arena_free(w.arena);
}

static void groups_wait_for_those_before(void **state)
{
	struct row row = { .op = PLAN_UP,
			   .file = "web%2*4",
			   .there = "web.1=r~h web.2=r~h web.3=r~h web.4=r~h" };
	struct err err = ERR_NONE;
	struct world w;
	struct plan plan;
	size_t settles[4], stops[4], settle_count = 0, stop_count = 0;

	(void)state;
	build(&w, row.file, row.there);
	assert_int_equal(make(&w, &row, &plan, &err), 0);
	for (size_t i = 0; i < plan.count; i++) {
		if (plan.actions[i].kind == ACTION_SETTLE)
			settles[settle_count++] = i;
		if (plan.actions[i].kind == ACTION_STOP)
			stops[stop_count++] = i;
	}
	assert_int_equal(settle_count, 4);
	assert_int_equal(stop_count, 4);
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(waits(&plan, stops[i], settles[k]), i >= 2 && k < 2);
	arena_free(w.arena);
}

static void reasons_are_in_words(void **state)
{
	struct row row = { .op = PLAN_UP, .file = "a b", .there = "b.1=r~i" };
	struct err err = ERR_NONE;
	struct world w;
	struct plan plan;

	(void)state;
	build(&w, row.file, row.there);
	assert_int_equal(make(&w, &row, &plan, &err), 0);
	assert_string_equal(plan.actions[index_of(&plan, ACTION_CREATE, "a")].reason,
			    "not there yet");
	assert_non_null(
		strstr(plan.actions[index_of(&plan, ACTION_CREATE, "b")].reason, "another image"));
	assert_true(plan.actions[index_of(&plan, ACTION_CREATE, "b")].replaces);
	arena_free(w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(situations),
		cmocka_unit_test(what_cannot_be_is_refused_by_name),
		cmocka_unit_test(starts_wait_for_what_they_need),
		cmocka_unit_test(stops_go_the_other_way),
		cmocka_unit_test(groups_wait_for_those_before),
		cmocka_unit_test(reasons_are_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
