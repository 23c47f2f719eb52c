/* orchestrator/cli/cmd_pull - images fetched: those of a file's services, or by name.
 *
 * Owns: the flags of pull and image pull, which services pull what. May not touch: the transfer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/transfer_view.h"
#include "orchestrator/transfer_tags.h"

/* clang-format off */
const struct option_row pull_options[] = {
	OPT_FLAG("quiet", 'q', "No progress"),
	OPT_CHOICE("policy", 0, "missing|always", "Only what is not here, or everything"),
	OPT_FLAG("include-deps", 0, "What the services depend on, too"),
	OPT_FLAG("ignore-buildable", 0, "Leave out services that can be built"),
	OPT_FLAG("ignore-pull-failures", 0, "End with 0 in spite of failures"),
	OPT_END,
};
const struct option_row image_pull_options[] = {
	OPT_FLAG("quiet", 'q', "Print the reference only"),
	OPT_FLAG("all-tags", 'a', "Every tag that the registry lists for the repository"),
	OPT_TEXT("platform", 0, "OS/ARCH", "Platform of the image"),
	OPT_TEXT("policy", 0, "always|missing|daily|weekly|every_TIME", "When to ask the registry for what is here", .fallback = "always"),
	OPT_END,
};
/* clang-format on */

/* All of the command: this process gives up its rights for it. */
static int pull(struct cli *cli, const char *const *refs, size_t count,
		const struct transfer_options *wanted, bool quiet, struct err *err)
{
	struct transfer_view view = { .form = quiet ? PROGRESS_QUIET : cli->progress };
	struct transfer_options transfer = *wanted;
	int status;

	transfer.root = cli->roots->state;
	transfer.runtime_root = cli->roots->run;
	transfer.config_path = options_text(options_globals(cli->options), "config");
	if (options_number(options_globals(cli->options), "parallel") > 0)
		transfer.images_max =
			(size_t)options_number(options_globals(cli->options), "parallel");
	transfer.flags = TRANSFER_CONFINED;
	if (cli->progress == PROGRESS_JSON) { /* what the supervisor reads of its worker */
		transfer.progress = transfer_progress_json;
		transfer.progress_ctx = stdout;
		return transfer_pull(refs, count, &transfer, err);
	}
	transfer.progress = transfer_view_show;
	transfer.progress_ctx = &view;
	view.progress = progress_new(stderr, view.form, "Pulling", 0);
	status = transfer_pull(refs, count, &transfer, err);
	progress_free(view.progress);
	return status;
}

static int pull_and_name(struct cli *cli, const char *const *refs, size_t count,
			 const struct options *options, struct err *err)
{
	struct transfer_options transfer = { .platform = options_text(options, "platform") };

	if (transfer_policy_parse(options_text(options, "policy"), &transfer.policy,
				  &transfer.max_age_s, err) < 0 ||
	    pull(cli, refs, count, &transfer, options_flag(options, "quiet"), err) < 0)
		return -1;
	for (size_t i = 0; i < count && cli->progress != PROGRESS_JSON; i++)
		puts(refs[i]);
	return 0;
}

/* The tags of all repositories are looked up before anything is fetched. */
static int pull_all_tags(struct cli *cli, const struct options *options, struct err *err)
{
	const struct transfer_options transfer = {
		.root = cli->roots->state,
		.runtime_root = cli->roots->run,
		.config_path = options_text(options_globals(cli->options), "config"),
	};
	const char **refs = NULL;
	size_t count = 0, more;
	char **tags;
	int status = 0;

	for (size_t i = 0; status == 0 && i < options_argument_count(options); i++) {
		status = transfer_tags_remote(options_argument(options, i), &transfer, &tags, &more,
					      err);
		if (status < 0)
			break;
		refs = xrealloc(refs, count + more, sizeof(*refs));
		for (size_t t = 0; t < more; t++)
			refs[count++] = arena_strdup(cli->arena, tags[t]);
		transfer_tags_free(tags, more);
	}
	if (status == 0)
		status = pull_and_name(cli, refs, count, options, err);
	free(refs);
	return status;
}

int image_pull_command(struct cli *cli, const struct options *options, struct err *err)
{
	if (cli_roots(cli, err) < 0)
		return -1;
	return options_flag(options, "all-tags")
		       ? pull_all_tags(cli, options, err)
		       : pull_and_name(cli, options_arguments(options),
				       options_argument_count(options), options, err);
}

/* What one service wants pulled. */
struct wish {
	const char *ref, *platform, *policy;
	bool is_done;
};

static bool is_named(const struct options *options, const char *service)
{
	if (options_argument_count(options) == 0 || options_flag(options, "include-deps"))
		return true;
	for (size_t i = 0; i < options_argument_count(options); i++)
		if (strcmp(options_argument(options, i), service) == 0)
			return true;
	return false;
}

/* Services that never pull, or build, are left out unless --policy says otherwise. */
static size_t collect(struct arena *arena, const struct options *options,
		      const struct project *project, struct wish *wishes)
{
	const char *forced = options_text(options, "policy");
	size_t count = 0;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		const char *policy = forced ? forced : transfer_policy_of(arena, service);

		if (!is_named(options, service->name) || !service->image ||
		    (service->build && options_flag(options, "ignore-buildable")) ||
		    (policy && (strcmp(policy, "never") == 0 || strcmp(policy, "build") == 0)))
			continue;
		wishes[count].ref = service->image;
		wishes[count].platform = service->platform;
		wishes[count].policy = policy ? policy : "always";
		wishes[count++].is_done = false;
	}
	return count;
}

static bool is_same(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

/* All that have the first one's platform and policy, at once. */
static int pull_alike(struct cli *cli, struct wish *first, size_t count, bool quiet,
		      struct err *err)
{
	const char **refs = arena_alloc(cli->arena, (count + 1) * sizeof(*refs));
	struct transfer_options transfer = { .platform = first->platform };
	size_t ref_count = 0;

	if (transfer_policy_parse(first->policy, &transfer.policy, &transfer.max_age_s, err) < 0)
		return -1;
	for (struct wish *wish = first; wish < first + count; wish++) {
		if (wish->is_done || !is_same(wish->platform, first->platform) ||
		    strcmp(wish->policy, first->policy) != 0)
			continue;
		refs[ref_count++] = wish->ref;
		wish->is_done = true;
	}
	return pull(cli, refs, ref_count, &transfer, quiet, err);
}

/* In a pipe of the supervisor the failure was told as a line already. */
int pull_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct load_result loaded;
	struct wish *wishes;
	size_t count;
	int status = 0;

	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    cli_roots(cli, err) < 0)
		return -1;
	wishes = arena_alloc(cli->arena, (loaded.project->service_count + 1) * sizeof(*wishes));
	count = collect(cli->arena, options, loaded.project, wishes);
	for (size_t i = 0; i < count; i++) {
		struct err one = ERR_NONE;

		if (wishes[i].is_done || pull_alike(cli, &wishes[i], count - i,
						    options_flag(options, "quiet"), &one) == 0)
			continue;
		if (status == 0)
			*err = one; /* the first is told, the others are tried all the same */
		status = -1;
	}
	if (status < 0 && options_flag(options, "ignore-pull-failures")) {
		cli_warn("%s", err->msg);
		*err = ERR_NONE;
		return 0;
	}
	return status;
}
