/* images/dockerfile/run - RUN: what is started, with which environment, mounts and key.
 *
 * Owns: how heredocs become scripts, where mounts without a target go. May not touch: processes.
 */
#include "images/dockerfile/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/dockerfile/resolve.h"

#define DEFAULT_PATH   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SCRIPT_PATH    "/run/build-script"
#define SECRETS_FOLDER "/run/secrets/"

struct reader {
	struct df_state *state;
	const struct df_instr *instr;
	struct arena *arena;
	struct df_run *out;
	struct err *err;
};

/* ---- the command ---- */

static void add_arg(struct reader *reader, const char *text)
{
	*(const char **)arena_grow(reader->arena, &reader->out->argv, &reader->out->argc,
				   sizeof(char *)) = text;
}

static void add_shell(struct reader *reader)
{
	size_t count;
	const char *const *shell = df_image_shell(reader->state->image, &count);

	for (size_t i = 0; i < count; i++)
		add_arg(reader, arena_strdup(reader->arena, shell[i]));
}

/* Whether the text for the shell is the word of the one heredoc and nothing else. */
static bool is_script(const struct df_instr *instr, const char *text)
{
	const struct df_heredoc *here = instr->line->heredocs;

	return instr->line->heredoc_count == 1 && !*here->descriptor &&
	       strncmp(text, "<<", 2) == 0 && strlen(text) == here->word_len;
}

static void set_script(struct reader *reader, const struct df_heredoc *here)
{
	if (here->text.len > 2 && strncmp(here->text.at, "#!", 2) == 0) {
		reader->out->script = here->text.at;
		reader->out->script_len = here->text.len;
		reader->out->script_path = SCRIPT_PATH;
		add_arg(reader, SCRIPT_PATH);
		return;
	}
	add_shell(reader);
	add_arg(reader, here->text.at);
}

/* The shell gets its heredocs as they stood, behind the line. */
static const char *with_heredocs(struct reader *reader, const char *text)
{
	const struct df_line *line = reader->instr->line;

	for (size_t i = 0; i < line->heredoc_count; i++)
		text = arena_format(reader->arena, "%s\n%.*s%s", text,
				    SLICE_ARG(line->heredocs[i].text), line->heredocs[i].name);
	return line->heredoc_count ? arena_format(reader->arena, "%s\n", text) : text;
}

static void set_argv(struct reader *reader)
{
	const struct df_instr *instr = reader->instr;
	const char *text = instr->word_count ? instr->words[0].text : "";

	if (instr->is_json)
		for (size_t i = 0; i < instr->word_count; i++)
			add_arg(reader, instr->words[i].text);
	else if (is_script(instr, text))
		set_script(reader, &instr->line->heredocs[0]);
	else {
		add_shell(reader);
		add_arg(reader, with_heredocs(reader, text));
	}
	add_arg(reader, NULL);
	reader->out->argc--;
}

/* ---- the environment ---- */

static bool has_path(const char **env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return true;
	return false;
}

static void set_env(struct reader *reader)
{
	struct df_run *out = reader->out;
	const struct df_scope *scope = reader->state->scope;
	const char **env = df_scope_environment(scope, DF_SCOPE_WITH_PROXIES, &out->env_count);

	out->key_env = df_scope_environment(scope, 0, &out->key_env_count);
	out->env = arena_alloc(reader->arena, (out->env_count + 2) * sizeof(*out->env));
	memcpy(out->env, env, out->env_count * sizeof(*env));
	if (!has_path(env))
		out->env[out->env_count++] = DEFAULT_PATH;
}

/* ---- flags ---- */

static int choose(struct reader *reader, enum df_flag_kind kind, const char *const *allowed,
		  const char *fallback, const char **out)
{
	const char *text;

	if (df_state_flag(reader->state, reader->instr, kind, &text, reader->err) < 0)
		return -1;
	*out = text ? text : fallback;
	for (; text && *allowed; allowed++)
		if (strcmp(text, *allowed) == 0)
			return 0;
	return text ? df_report_fail(reader->state->report, ERR_INVALID, reader->instr->place,
				     reader->err, "RUN: --%s=%.40s is not known",
				     df_flag_row(kind)->name, text)
		    : 0;
}

static const char *target_of(struct reader *reader, const struct df_mount *mount)
{
	const char *joined;

	if (!mount->target) {
		if (mount->type != DF_MOUNT_SECRET || mount->env)
			return NULL;
		return arena_format(reader->arena, SECRETS_FOLDER "%s", mount->id);
	}
	joined = *mount->target == '/'
			 ? mount->target
			 : arena_format(reader->arena, "%s/%s", reader->out->cwd, mount->target);
	return arena_format(reader->arena, "/%s", df_clean_path(reader->arena, joined));
}

static int add_mount(struct reader *reader, const struct df_flag *flag)
{
	struct df_run_mount *mount = arena_grow(reader->arena, &reader->out->mounts,
						&reader->out->mount_count, sizeof(*mount));

	mount->place = flag->value.place;
	if (df_state_expand(reader->state, &flag->value, &mount->options, reader->err) < 0 ||
	    df_mount_parse(reader->state->report, mount->place, mount->options, &mount->mount,
			   reader->err) < 0)
		return -1;
	mount->target = target_of(reader, &mount->mount);
	if (mount->target && strcmp(mount->target, "/") == 0)
		return df_report_fail(reader->state->report, ERR_INVALID, mount->place, reader->err,
				      "RUN: --mount: the target is the root");
	return 0;
}

static int set_mounts(struct reader *reader)
{
	for (size_t i = 0; i < reader->instr->flag_count; i++)
		if (reader->instr->flags[i].kind == DF_FLAG_MOUNT &&
		    add_mount(reader, &reader->instr->flags[i]) < 0)
			return -1;
	return 0;
}

/* ---- history ---- */

/* "RUN |2 A=1 B=2 /bin/sh -c make": arguments that the command saw, then the command. */
static void set_created_by(struct reader *reader)
{
	struct df_run *out = reader->out;
	AUTO(free) char *text = NULL;
	size_t len, count;
	const char **args = df_scope_args(reader->state->scope, &count);
	FILE *stream = open_memstream(&text, &len);

	fputs("RUN", stream);
	if (count)
		fprintf(stream, " |%zu", count);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, " %s", args[i]);
	for (size_t i = 0; !out->script && i < out->argc; i++)
		fprintf(stream, " %s", out->argv[i]);
	if (out->script)
		fprintf(stream, " %.*s", (int)out->script_len, out->script);
	fclose(stream);
	out->created_by = arena_strdup(reader->arena, text);
}

int df_run_read(struct df_state *state, const struct df_instr *instr, const char *network,
		struct df_run *out, struct err *err)
{
	static const char *const networks[] = { "default", "none", "host", NULL };
	static const char *const securities[] = { "sandbox", "insecure", NULL };
	struct reader reader = { state, instr, state->report->arena, out, err };

	*out = (struct df_run){ 0 };
	out->user = arena_strdup(reader.arena, df_image_user(state->image));
	out->cwd = arena_strdup(reader.arena, df_image_working_dir(state->image));
	set_argv(&reader);
	set_env(&reader);
	if (choose(&reader, DF_FLAG_NETWORK, networks, network ? network : "default",
		   &out->network) < 0 ||
	    choose(&reader, DF_FLAG_SECURITY, securities, "sandbox", &out->security) < 0 ||
	    set_mounts(&reader) < 0)
		return -1;
	set_created_by(&reader);
	return 0;
}

void df_run_key(const struct df_state *state, const struct df_run *run, char out[DF_KEY_SIZE])
{
	const struct platform *platform = df_image_platform(state->image);
	AUTO(free)
	char *name = xformat("%s/%s/%s", platform->os, platform->arch, platform->variant);
	AUTO(free) struct df_key_mount *mounts = xcalloc(run->mount_count + 1, sizeof(*mounts));
	AUTO(free) const char **argv = xcalloc(run->argc + 2, sizeof(*argv));
	struct df_key_run key = {
		.argv = {argv,          run->argc         },
		.env = { run->key_env, run->key_env_count},
		.user = run->user,
		.cwd = run->cwd,
		.network = run->network,
		.security = run->security,
		.platform = name,
		.mounts = mounts,
		.mount_count = run->mount_count
	};

	for (size_t i = 0; i < run->argc; i++)
		argv[i] = run->argv[i];
	if (run->script)
		argv[key.argv.count++] = run->script;
	for (size_t i = 0; i < run->mount_count; i++)
		mounts[i] = (struct df_key_mount){ run->mounts[i].options, run->mounts[i].content };
	df_key_run(state->key, &key, out);
}
