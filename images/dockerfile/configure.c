/* images/dockerfile/configure - instructions that change the config alone.
 *
 * Owns: the table of them: what each sets, what counts for its key, its line of the history.
 * May not touch: files. Words and copies are state's.
 */
#include "images/dockerfile/configure.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "base/process.h"
#include "images/dockerfile/duration.h"
#include "images/dockerfile/image_inner.h"
#include "images/dockerfile/resolve.h"

#define PORT_MAX  65535u
#define PORTS_MAX 65536u

struct job {
	struct df_state *state;
	const struct df_instr *instr;
	struct arena *arena;
	const char **values; /* what is set: for key and history */
	size_t count;
	struct df_configured *out;
	struct err *err;
};

static void add_value(struct job *job, const char *value)
{
	*(const char **)arena_grow(job->arena, &job->values, &job->count, sizeof(char *)) = value;
}

static int fail(struct job *job, struct df_place place, const char *text, const char *value)
{
	return df_report_fail(job->state->report, ERR_INVALID, place, job->err, "%s: \"%.80s\" %s",
			      df_row(job->instr->kind)->name, value, text);
}

/* All words, expanded, as values. */
static int expand_words(struct job *job)
{
	for (size_t i = 0; i < job->instr->word_count; i++) {
		const char *text;

		if (df_state_expand(job->state, &job->instr->words[i], &text, job->err) < 0)
			return -1;
		add_value(job, text);
	}
	return 0;
}

/* "NAME=VALUE" of all pairs, expanded with what stood before the instruction. */
static int expand_pairs(struct job *job, const char ***out_names, const char ***out_values)
{
	size_t count = job->instr->pair_count;

	*out_names = arena_alloc(job->arena, (count + 1) * sizeof(**out_names));
	*out_values = arena_alloc(job->arena, (count + 1) * sizeof(**out_values));
	for (size_t i = 0; i < count; i++) {
		const struct df_pair *pair = &job->instr->pairs[i];

		if (df_state_expand(job->state, &pair->key, &(*out_names)[i], job->err) < 0)
			return -1;
		if (pair->has_value &&
		    df_state_expand(job->state, &pair->value, &(*out_values)[i], job->err) < 0)
			return -1;
		if (!*(*out_names)[i])
			return fail(job, pair->key.place, "is an empty name", pair->key.text);
	}
	return 0;
}

/* ---- one function an instruction ---- */

static int set_arg(struct job *job)
{
	const char **names, **values;

	if (expand_pairs(job, &names, &values) < 0)
		return -1;
	for (size_t i = 0; i < job->instr->pair_count; i++) {
		const char *value;

		df_scope_declare(job->state->scope, names[i], values[i]);
		value = df_scope_is_proxy(names[i]) ? NULL
						    : df_scope_get(job->state->scope, names[i]);
		add_value(job,
			  value ? arena_format(job->arena, "%s=%s", names[i], value) : names[i]);
	}
	return 0;
}

static int set_env(struct job *job)
{
	const char **names, **values;

	if (expand_pairs(job, &names, &values) < 0)
		return -1;
	for (size_t i = 0; i < job->instr->pair_count; i++) {
		df_scope_set_env(job->state->scope, names[i], values[i]);
		df_image_set_env(job->state->image, names[i], values[i]);
		add_value(job, arena_format(job->arena, "%s=%s", names[i], values[i]));
	}
	return 0;
}

static int set_label(struct job *job)
{
	const char **names, **values;

	if (expand_pairs(job, &names, &values) < 0)
		return -1;
	for (size_t i = 0; i < job->instr->pair_count; i++) {
		df_image_set_label(job->state->image, names[i], values[i]);
		add_value(job, arena_format(job->arena, "%s=%s", names[i], values[i]));
	}
	return 0;
}

/* The command as it runs: exec form as it is, shell form behind SHELL. */
static void command_values(struct job *job)
{
	size_t count = 0;
	const char *const *shell = df_image_shell(job->state->image, &count);

	for (size_t i = 0; !job->instr->is_json && i < count; i++)
		add_value(job, shell[i]);
	for (size_t i = 0; i < job->instr->word_count; i++)
		add_value(job, job->instr->words[i].text);
	if (!job->instr->is_json && job->instr->word_count == 0)
		job->count = 0;
}

static int set_cmd(struct job *job)
{
	command_values(job);
	df_image_set_list(job->state->image, "Cmd", job->values, job->count);
	job->state->has_cmd = true;
	return 0;
}

static int set_entrypoint(struct job *job)
{
	command_values(job);
	df_image_set_list(job->state->image, "Entrypoint", job->values, job->count);
	/* A command that came with the base image is not meant for this program. */
	if (!job->state->has_cmd)
		json_object_object_del(df_image_config(job->state->image), "Cmd");
	return 0;
}

static int set_shell(struct job *job)
{
	for (size_t i = 0; i < job->instr->word_count; i++)
		add_value(job, job->instr->words[i].text);
	df_image_set_list(job->state->image, "Shell", job->values, job->count);
	return 0;
}

/* "80", "80-90/tcp", "53/udp" to one entry a port. */
static int add_ports(struct job *job, struct df_place place, const char *text)
{
	struct slice whole = SLICE(text), range, protocol, low, high;
	uint64_t first, last;
	struct err ignored = ERR_NONE;
	char lower[8] = "tcp";

	if (slice_split(whole, '/', &range, &protocol)) {
		if (protocol.len >= sizeof(lower))
			return fail(job, place, "has another protocol than tcp, udp, sctp", text);
		snprintf(lower, sizeof(lower), "%.*s", SLICE_ARG(protocol));
		for (char *at = lower; *at; at++)
			*at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
	}
	if (strcmp(lower, "tcp") != 0 && strcmp(lower, "udp") != 0 && strcmp(lower, "sctp") != 0)
		return fail(job, place, "has another protocol than tcp, udp, sctp", text);
	if (!slice_split(range, '-', &low, &high))
		high = low;
	if (num_parse_u64("port", low.at, low.len, 1, PORT_MAX, &first, &ignored) < 0 ||
	    num_parse_u64("port", high.at, high.len, first, PORT_MAX, &last, &ignored) < 0)
		return fail(job, place, "is no port (wanted: 80, 80/udp, 80-90/tcp)", text);
	for (uint64_t port = first; port <= last; port++) {
		const char *one =
			arena_format(job->arena, "%llu/%s", (unsigned long long)port, lower);

		df_image_add_key(job->state->image, "ExposedPorts", one);
		add_value(job, one);
	}
	return job->count > PORTS_MAX ? fail(job, place, "makes too many ports", text) : 0;
}

static int set_expose(struct job *job)
{
	for (size_t i = 0; i < job->instr->word_count; i++) {
		const struct df_word *word = &job->instr->words[i];
		const char **words;
		size_t count;

		if (df_state_expand_words(job->state, word, &words, &count, job->err) < 0)
			return -1;
		for (size_t k = 0; k < count; k++)
			if (add_ports(job, word->place, words[k]) < 0)
				return -1;
	}
	return 0;
}

static int set_user(struct job *job)
{
	if (expand_words(job) < 0)
		return -1;
	if (!*job->values[0])
		return fail(job, job->instr->words[0].place, "is no user",
			    job->instr->words[0].text);
	json_add_text(df_image_config(job->state->image), "User", job->values[0]);
	return 0;
}

static int set_volume(struct job *job)
{
	if (expand_words(job) < 0)
		return -1;
	for (size_t i = 0; i < job->count; i++) {
		if (!*job->values[i])
			return fail(job, job->instr->words[i].place, "is no path",
				    job->instr->words[i].text);
		df_image_add_key(job->state->image, "Volumes", job->values[i]);
	}
	return 0;
}

static int set_stop_signal(struct job *job)
{
	if (expand_words(job) < 0)
		return -1;
	if (process_signal_number(job->values[0]) < 0)
		return fail(job, job->instr->words[0].place, "is no signal", job->values[0]);
	json_add_text(df_image_config(job->state->image), "StopSignal", job->values[0]);
	return 0;
}

static int set_workdir(struct job *job)
{
	const char *path, *joined;

	if (expand_words(job) < 0)
		return -1;
	path = job->values[0];
	if (!*path)
		return fail(job, job->instr->words[0].place, "is no path",
			    job->instr->words[0].text);
	joined = *path == '/' ? path
			      : arena_format(job->arena, "%s/%s",
					     df_image_working_dir(job->state->image), path);
	path = arena_format(job->arena, "/%s", df_clean_path(job->arena, joined));
	json_add_text(df_image_config(job->state->image), "WorkingDir", path);
	job->values[0] = path;
	job->out->folder = path;
	return 0;
}

static int set_maintainer(struct job *job)
{
	add_value(job, job->instr->words[0].text);
	json_add_text(job->state->image->json, "author", job->values[0]);
	return 0;
}

/* The text as it stood, with the heredocs that belong to it. */
static int set_onbuild(struct job *job)
{
	const char *text = job->instr->arguments;

	for (size_t i = 0; i < job->instr->line->heredoc_count; i++) {
		const struct df_heredoc *here = &job->instr->line->heredocs[i];

		text = arena_format(job->arena, "%s\n%.*s%s", text, SLICE_ARG(here->text),
				    here->name);
	}
	df_image_add_text(job->state->image, "OnBuild", text);
	add_value(job, text);
	return 0;
}

/* ---- HEALTHCHECK ---- */

static const struct {
	enum df_flag_kind flag;
	const char *key;
} durations[] = {
	{DF_FLAG_INTERVAL,        "Interval"     },
	{ DF_FLAG_TIMEOUT,        "Timeout"      },
	{ DF_FLAG_START_PERIOD,   "StartPeriod"  },
	{ DF_FLAG_START_INTERVAL, "StartInterval"},
};

static int add_durations(struct job *job, struct json_object *check)
{
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		const char *text = df_instr_flag(job->instr, durations[i].flag);
		int64_t ns;

		if (!text)
			continue;
		if (df_duration_parse(text, &ns) < 0 || (ns != 0 && ns < 1000000))
			return fail(job, job->instr->place, "is no duration (wanted: 30s, 1m30s)",
				    text);
		json_add_int(check, durations[i].key, ns);
		add_value(job,
			  arena_format(job->arena, "%s=%lld", durations[i].key, (long long)ns));
	}
	return 0;
}

static int add_retries(struct job *job, struct json_object *check)
{
	const char *text = df_instr_flag(job->instr, DF_FLAG_RETRIES);
	struct err ignored = ERR_NONE;
	uint64_t count;

	if (!text)
		return 0;
	if (num_parse_u64("retries", text, strlen(text), 0, INT32_MAX, &count, &ignored) < 0)
		return fail(job, job->instr->place, "is no number of retries", text);
	json_add_int(check, "Retries", (int64_t)count);
	add_value(job, arena_format(job->arena, "Retries=%s", text));
	return 0;
}

static int set_healthcheck(struct job *job)
{
	struct json_object *config = df_image_config(job->state->image), *check, *test;
	const char *kind = job->instr->is_none ? "NONE" : job->instr->is_json ? "CMD" : "CMD-SHELL";

	json_object_object_del(config, "Healthcheck");
	check = json_add_object(config, "Healthcheck");
	test = json_add_array(check, "Test");
	json_push_text(test, kind);
	add_value(job, kind);
	for (size_t i = 0; !job->instr->is_none && i < job->instr->word_count; i++) {
		json_push_text(test, job->instr->words[i].text);
		add_value(job, job->instr->words[i].text);
	}
	return add_durations(job, check) < 0 ? -1 : add_retries(job, check);
}

/* ---- history ---- */

enum look {
	LOOK_PLAIN,  /* NAME a b */
	LOOK_LIST,   /* NAME [a b] */
	LOOK_QUOTED, /* NAME ["a" "b"] */
	LOOK_AS_IS   /* NAME and what stands in the file */
};

/* clang-format off */
static const struct row {
	int (*set)(struct job *job);
	enum look look;
	bool has_key;
} rows[DF_KIND_COUNT] = {
	[DF_ARG]         = { set_arg,         LOOK_PLAIN,  false },
	[DF_CMD]         = { set_cmd,         LOOK_QUOTED, true },
	[DF_ENTRYPOINT]  = { set_entrypoint,  LOOK_QUOTED, true },
	[DF_ENV]         = { set_env,         LOOK_PLAIN,  true },
	[DF_EXPOSE]      = { set_expose,      LOOK_LIST,   true },
	[DF_HEALTHCHECK] = { set_healthcheck, LOOK_AS_IS,  true },
	[DF_LABEL]       = { set_label,       LOOK_PLAIN,  true },
	[DF_MAINTAINER]  = { set_maintainer,  LOOK_PLAIN,  true },
	[DF_ONBUILD]     = { set_onbuild,     LOOK_PLAIN,  true },
	[DF_SHELL]       = { set_shell,       LOOK_LIST,   true },
	[DF_STOPSIGNAL]  = { set_stop_signal, LOOK_PLAIN,  true },
	[DF_USER]        = { set_user,        LOOK_PLAIN,  true },
	[DF_VOLUME]      = { set_volume,      LOOK_LIST,   true },
	[DF_WORKDIR]     = { set_workdir,     LOOK_PLAIN,  true },
};
/* clang-format on */

static void put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\t')
			fputs("\\t", out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static const char *created_by(struct job *job, enum look look)
{
	bool has_brackets = look == LOOK_LIST || look == LOOK_QUOTED;
	AUTO(free) char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s %s", df_row(job->instr->kind)->name, has_brackets ? "[" : "");
	for (size_t i = 0; look != LOOK_AS_IS && i < job->count; i++) {
		if (i)
			fputc(' ', out);
		if (look == LOOK_QUOTED)
			put_quoted(out, job->values[i]);
		else
			fputs(job->values[i], out);
	}
	fputs(has_brackets ? "]" : look == LOOK_AS_IS ? job->instr->arguments : "", out);
	fclose(out);
	return arena_strdup(job->arena, text);
}

int df_configure(struct df_state *state, const struct df_instr *instr, struct df_configured *out,
		 struct err *err)
{
	const struct row *row = &rows[instr->kind];
	struct job job = { .state = state,
			   .instr = instr,
			   .arena = state->report->arena,
			   .out = out,
			   .err = err };
	struct df_key_list list;
	struct df_image_step step = { 0 };

	*out = (struct df_configured){ 0 };
	if (!row->set)
		return err_set(err, ERR_INTERNAL, "%s is no instruction of the config",
			       df_row(instr->kind)->name);
	if (row->set(&job) < 0)
		return -1;
	out->created_by = created_by(&job, row->look);
	list = (struct df_key_list){ job.values, job.count };
	if (row->has_key)
		df_key_config(state->key, instr->kind, instr->is_json, &list, state->key);
	step.created_by = out->created_by;
	if (!out->folder)
		df_image_add_step(state->image, &step);
	return 0;
}
