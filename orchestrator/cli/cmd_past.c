/* orchestrator/cli/cmd_past - the models of a project, former and present: history, graph.
 *
 * Owns: what changed between two models, in words; the graph's two languages. May not touch:
 * models.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "base/stamp.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/graph.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/view.h"
#include "specs/hash.h"

/* clang-format off */
const struct option_row history_options[] = {
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
const struct option_row graph_options[] = {
	OPT_CHOICE("format", 0, "dot|mermaid", "Language of the graph", .fallback = "dot"),
	OPT_END,
};
/* clang-format on */

/* ---- history ---- */

static const struct output_column history_columns[] = {
	{"Seq",        "SEQ",        0           },
        { "Created",   "APPLIED",    0           },
	{ "State",     "STATE",      0           },
        { "Services",  "SERVICES",   0           },
	{ "Changes",   "CHANGES",    0           },
        { "CreatedAt", "APPLIED AT", COLUMN_EXTRA},
	{ NULL,        NULL,         0           },
};

/* One stored model. */
struct past {
	uint64_t seq, applied_us;
	struct model *model;
};

struct pasts {
	struct past *items;
	size_t count;
};

static void pasts_clear(struct pasts *pasts)
{
	for (size_t i = 0; i < pasts->count; i++)
		model_unref(pasts->items[i].model);
	free(pasts->items);
}

static int by_seq(const void *a, const void *b)
{
	const struct past *left = a, *right = b;

	return left->seq < right->seq ? -1 : left->seq > right->seq;
}

/* "12.json" */
static bool read_seq(const char *name, uint64_t *out)
{
	size_t digits = num_digits(name, strlen(name));
	struct err ignored = ERR_NONE;

	return digits && strcmp(name + digits, ".json") == 0 &&
	       num_parse_u64("history", name, digits, 1, UINT64_MAX, out, &ignored) == 0;
}

/* All that can be read, oldest first. */
static void read_pasts(const struct project_dirs *dirs, struct pasts *out)
{
	int fd = openat(dirs->state_fd, "history", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		struct err torn = ERR_NONE;
		struct past *past;
		struct model *model;
		struct stat st;
		uint64_t seq;

		if (!read_seq(entry->d_name, &seq) || fstatat(fd, entry->d_name, &st, 0) < 0)
			continue;
		model = model_load(dirs, seq, &torn);
		if (!model)
			continue;
		past = xgrow(&out->items, &out->count, sizeof(*past));
		*past = (struct past){ seq, (uint64_t)st.st_mtim.tv_sec * 1000000, model };
	}
	if (dir)
		closedir(dir);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_seq);
}

static bool is_changed(const struct service *before, const struct service *now)
{
	char left[SERVICE_HASH_LEN + 1], right[SERVICE_HASH_LEN + 1];

	service_hash(before, left);
	service_hash(now, right);
	return strcmp(left, right) != 0 || service_replicas(before) != service_replicas(now);
}

/* A service that the file has, whether or not it was meant that time. */
static const struct service *find(const struct project *project, const char *name)
{
	const struct service *service = project_find_service(project, name);

	return service ? service : project_find_disabled(project, name);
}

/* "+web -old ~db", or "first"; to be freed. */
static char *changes_text(const struct project *before, const struct project *now)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!before)
		return xstrdup("first");
	out = open_memstream(&text, &size);
	for (size_t i = 0; i < now->service_count; i++) {
		const struct service *service = &now->services[i];
		const struct service *former = find(before, service->name);

		if (!former || is_changed(former, service))
			fprintf(out, "%s%c%s", ftell(out) ? " " : "", former ? '~' : '+',
				service->name);
	}
	for (size_t i = 0; i < before->service_count; i++)
		if (!find(now, before->services[i].name))
			fprintf(out, "%s-%s", ftell(out) ? " " : "", before->services[i].name);
	if (ftell(out) == 0)
		fputs("networks, volumes, configs, settings or selection", out);
	fclose(out);
	return text;
}

static struct json_object *history_row(const struct pasts *pasts, size_t at, uint64_t seq_in_force)
{
	const struct past *past = &pasts->items[at];
	const struct project *before = at ? pasts->items[at - 1].model->project : NULL;
	struct json_object *row = json_object_new_object();
	AUTO(free) char *changes = changes_text(before, past->model->project);
	char text[HUMAN_LEN], time[STAMP_TEXT_LEN];

	json_add_int(row, "Seq", (int64_t)past->seq);
	json_add_text(row, "Created", human_age(past->applied_us, stamp_now_us(), text));
	json_add_text(row, "CreatedAt", stamp_rfc3339(past->applied_us * 1000, time));
	json_add_text(row, "State", past->seq == seq_in_force ? "in force" : "");
	json_add_int(row, "Services", (int64_t)past->model->project->service_count);
	json_add_text(row, "Changes", changes);
	return row;
}

int history_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view form = { .columns = history_columns };
	AUTO(view) struct view *view = view_open(cli, true, err);
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct pasts pasts = { NULL, 0 };

	if (!view)
		return -1;
	read_pasts(view->dirs, &pasts);
	for (size_t i = pasts.count; i > 0; i--)
		json_object_array_add(
			rows, history_row(&pasts, i - 1,
					  view->observed->model ? view->observed->model->seq : 0));
	pasts_clear(&pasts);
	return output_rows(stdout, &form, options_text(options, "format"), rows, err);
}

/* ---- graph ---- */

int graph_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	const struct project *project;
	struct load_result loaded;
	bool mermaid = strcmp(options_text(options, "format"), "mermaid") == 0;

	if (!view)
		return -1;
	if (view->observed->model) {
		project = view->observed->model->project;
	} else { /* never up: what the files say */
		if (cli_load(cli, 0, NULL, &loaded, err) < 0)
			return -1;
		project = loaded.project;
	}
	graph_print(stdout, project, view->observed, mermaid ? &graph_mermaid : &graph_dot);
	return 0;
}
