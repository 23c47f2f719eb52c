/* orchestrator/cli/watch_rules - develop.watch of a project's services.
 *
 * Owns: which paths a rule takes. May not touch: events (tree_watch), what is done (watch_do).
 */
#include "orchestrator/cli/watch_rules.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "images/dockerfile/ignore.h"
#include "orchestrator/cli/view.h"

#define IGNORE_BYTES_MAX (1u << 20)

static const char common_patterns[] = "**/.git\n**/*~\n**/.#*\n**/#*#\n**/.*.sw?\n**/.*.sw??\n"
				      "**/4913\n**/.goutputstream-*\n**/___jb_*___\n";

/* "" for the folder itself; NULL: elsewhere. */
static const char *below(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (strcmp(folder, "/") == 0)
		return path + 1;
	if (strncmp(path, folder, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len + 1 : "";
}

static int parse_patterns(struct arena *arena, const struct texts *patterns, const char *what,
			  const struct df_ignore **out, struct err *err)
{
	struct df_ignore *list;
	const char *text = "";

	*out = NULL;
	if (!patterns->count)
		return 0;
	for (size_t i = 0; i < patterns->count; i++)
		text = arena_format(arena, "%s%s\n", text, patterns->items[i]);
	if (df_ignore_parse(arena, what, SLICE(text), &list, err) < 0)
		return -1;
	*out = list;
	return 0;
}

static int read_dockerignore(struct arena *arena, struct watch_item *item, struct err *err)
{
	const struct build *build = item->service->build;
	const char *path;
	char *text = NULL;
	struct df_ignore *list;
	struct err absent = ERR_NONE;
	size_t len = 0;
	int status;

	if (!build || !build->context || build->context[0] != '/')
		return 0;
	item->context = build->context;
	path = arena_format(arena, "%s/.dockerignore", build->context);
	if (file_read(AT_FDCWD, path, IGNORE_BYTES_MAX, &text, &len, &absent) < 0)
		return 0; /* none */
	status = df_ignore_parse(arena, path, (struct slice){ text, len }, &list, err);
	free(text);
	item->left_out = list;
	return status;
}

static const struct mount *bind_over(const struct service *service, const char *path)
{
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (strcmp(mount->type, "bind") == 0 && mount->source && below(mount->source, path))
			return mount;
	}
	return NULL;
}

bool watch_item_syncs(const struct watch_item *item)
{
	return text_starts(item->rule->action, "sync");
}

static int add_rule(struct arena *arena, const struct service *service,
		    const struct watch_rule *rule, struct watch_rules *out, struct texts *notes,
		    struct err *err)
{
	struct watch_item item = { .service = service, .rule = rule };
	struct df_ignore *common;

	if (watch_item_syncs(&item) && bind_over(service, rule->path)) {
		*(const char **)arena_grow(arena, &notes->items, &notes->count, sizeof(char *)) =
			arena_format(arena,
				     "service %s: %s is mounted already, so it is not "
				     "synced",
				     service->name, rule->path);
		return 0;
	}
	if (parse_patterns(arena, &rule->ignore, "develop.watch.ignore", &item.ignored, err) < 0 ||
	    parse_patterns(arena, &rule->include, "develop.watch.include", &item.included, err) <
		    0 ||
	    read_dockerignore(arena, &item, err) < 0 ||
	    df_ignore_parse(arena, "common", SLICE(common_patterns), &common, err) < 0)
		return err_wrap(err, "service %s", service->name);
	item.common = common;
	*(struct watch_item *)arena_grow(arena, &out->items, &out->count, sizeof(item)) = item;
	return 0;
}

int watch_rules_make(struct arena *arena, const struct project *project,
		     const char *const *services, struct watch_rules *out, struct texts *out_notes,
		     struct err *err)
{
	bool any = false;

	*out = (struct watch_rules){ 0 };
	*out_notes = (struct texts){ NULL, 0 };
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		size_t count = service->develop ? service->develop->watch_count : 0;

		if (!view_is_meant(services, service->name))
			continue;
		any |= count > 0;
		for (size_t r = 0; r < count; r++)
			if (add_rule(arena, service, &service->develop->watch[r], out, out_notes,
				     err) < 0)
				return -1;
	}
	if (!any)
		return err_set(err, ERR_INVALID,
			       "none of the services is to be watched: they need a \"develop\" "
			       "section with \"watch\"");
	return 0;
}

static bool is_left_out(const struct watch_item *item, const char *path, const char *relative)
{
	const char *in_context = item->context ? below(item->context, path) : NULL;

	return df_ignore_excludes(item->common, relative, NULL) ||
	       df_ignore_excludes(item->ignored, relative, NULL) ||
	       (in_context && *in_context && df_ignore_excludes(item->left_out, in_context, NULL));
}

bool watch_item_takes(const struct watch_item *item, const char *path)
{
	const char *relative = below(item->rule->path, path);

	if (!relative)
		return false;
	if (!*relative)
		return true; /* the watched file itself */
	return !is_left_out(item, path, relative) &&
	       (!item->included || df_ignore_excludes(item->included, relative, NULL));
}

static bool item_skips(const struct watch_item *item, const char *folder)
{
	const char *relative = below(item->rule->path, folder), *in_context;

	if (!relative)
		return below(folder, item->rule->path) == NULL;
	if (!*relative)
		return false;
	in_context = item->context ? below(item->context, folder) : NULL;
	return df_ignore_excludes_tree(item->common, relative) ||
	       (item->ignored && df_ignore_excludes_tree(item->ignored, relative)) ||
	       (item->left_out && in_context && *in_context &&
		df_ignore_excludes_tree(item->left_out, in_context));
}

bool watch_rules_skip(const struct watch_rules *rules, const char *folder)
{
	for (size_t i = 0; i < rules->count; i++)
		if (!item_skips(&rules->items[i], folder))
			return false;
	return true;
}

const char *watch_item_target(struct arena *arena, const struct watch_item *item, const char *path)
{
	const char *relative = below(item->rule->path, path);
	const char *target = item->rule->target;
	size_t len = strlen(target);

	while (len > 1 && target[len - 1] == '/')
		len--;
	if (!relative || !*relative)
		return arena_strndup(arena, target, len);
	return arena_format(arena, "%.*s/%s", len == 1 ? 0 : (int)len, target, relative);
}
