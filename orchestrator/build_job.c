/* orchestrator/build_job - one Dockerfile: found, read, checked; where its COPYs lead.
 *
 * Owns: the report, the graph, the contexts of one image. May not touch: layers, containers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "images/dockerfile/lint.h"
#include "orchestrator/build_inner.h"

/* ---- contexts ---- */

static int open_fetched(struct df_fetched *fetched, struct df_fetched **out_fetched,
			struct df_context **out)
{
	if (!fetched)
		return -1;
	*out_fetched = fetched;
	*out = fetched->context;
	return 0;
}

static bool keeps_git(const struct build_spec *spec)
{
	for (size_t i = 0; i < spec->arg_count; i++)
		if (strcmp(spec->args[i].name, "BUILDKIT_CONTEXT_KEEP_GIT_DIR") == 0)
			return spec->args[i].value && strcmp(spec->args[i].value, "1") == 0;
	return false;
}

int build_job_open_context(struct build_job *job, const char *text, struct df_fetched **out_fetched,
			   struct df_context **out, struct err *err)
{
	struct build_worker *build = job->build;
	AUTO(free) char *hashes = xformat("%s/build/hashes", build->env->roots->state);

	switch (df_context_kind(text)) {
	case DF_CONTEXT_STDIN:
		return open_fetched(
			df_context_from_stream(build->store, build->env->stdin_fd, "stdin", err),
			out_fetched, out);
	case DF_CONTEXT_GIT:
		return open_fetched(
			df_context_from_git(build->store, text, keeps_git(job->spec), err),
			out_fetched, out);
	case DF_CONTEXT_URL:
		return open_fetched(df_context_from_url(build->store, text, err), out_fetched, out);
	default:
		*out = df_context_open_dir(text, hashes, err);
		return *out ? 0 : -1;
	}
}

/* ---- variables ---- */

static void add_arg(struct arena *arena, struct df_build_arg **list, size_t *count,
		    const char *name, const char *value)
{
	struct df_build_arg *arg = arena_grow(arena, list, count, sizeof(*arg));

	arg->name = arena_strdup(arena, name);
	arg->value = arena_strdup(arena, value);
}

static void add_platform(struct build_job *job, struct df_build_arg **list, size_t *count,
			 const char *prefix, const struct platform *platform)
{
	struct arena *arena = job->arena;
	char text[PLATFORM_TEXT_MAX];

	add_arg(arena, list, count, arena_format(arena, "%sPLATFORM", prefix),
		platform_text(platform, text));
	add_arg(arena, list, count, arena_format(arena, "%sOS", prefix), platform->os);
	add_arg(arena, list, count, arena_format(arena, "%sARCH", prefix), platform->arch);
	add_arg(arena, list, count, arena_format(arena, "%sVARIANT", prefix), platform->variant);
}

/* What docker calls this machine: the level of its processor says nothing of what is built. */
static void plain_host(struct platform *out)
{
	platform_host(out);
	if (strcmp(out->arch, "amd64") == 0)
		out->variant[0] = '\0';
}

static void fill_inputs(struct build_job *job)
{
	const struct build_spec *spec = job->spec;
	struct df_build_arg *given = NULL, *platforms = NULL;
	size_t count = 0, platform_count = 0;
	struct platform host;

	for (size_t i = 0; i < spec->arg_count; i++)
		add_arg(job->arena, &given, &count, spec->args[i].name, spec->args[i].value);
	if (spec->epoch_s >= 0)
		add_arg(job->arena, &given, &count, "SOURCE_DATE_EPOCH",
			arena_format(job->arena, "%lld", (long long)spec->epoch_s));
	plain_host(&host);
	add_platform(job, &platforms, &platform_count, "TARGET", &job->platform);
	add_platform(job, &platforms, &platform_count, "BUILD", &host);
	add_arg(job->arena, &platforms, &platform_count, "TARGETSTAGE",
		spec->target ? spec->target : "default");
	job->inputs = (struct df_inputs){ .arena = job->arena,
					  .build_args = given,
					  .build_arg_count = count,
					  .platform_args = platforms,
					  .platform_arg_count = platform_count };
}

/* ---- the file ---- */

static int read_text(struct build_job *job, size_t *out_len, struct err *err)
{
	const struct build_spec *spec = job->spec;
	const char *inline_text = spec->inline_text;
	const char *name = "Dockerfile";

	if (build_job_open_context(job, spec->context, &job->fetched, &job->context, err) < 0)
		return -1;
	if (!inline_text && job->fetched && job->fetched->dockerfile && !spec->dockerfile)
		inline_text = job->fetched->dockerfile;
	if (df_context_read_file(job->context, spec->dockerfile, inline_text, &job->text, out_len,
				 &name, err) < 0)
		return -1;
	job->report =
		(struct df_report){ .arena = job->arena, .file = arena_strdup(job->arena, name) };
	return 0;
}

/* Before the first step: what nobody has allowed. */
static int check_instr(struct build_job *job, const struct df_instr *instr, struct err *err)
{
	const char *network = df_instr_flag(instr, DF_FLAG_NETWORK);
	const char *security = df_instr_flag(instr, DF_FLAG_SECURITY);

	if (instr->kind != DF_RUN)
		return 0;
	if (network && strcmp(network, "host") == 0 && !(job->spec->flags & BUILD_ALLOW_HOST_NET))
		return df_report_fail(&job->report, ERR_DENIED, instr->place, err,
				      "RUN --network=host needs --allow network.host "
				      "(build.entitlements)");
	if (security && strcmp(security, "insecure") == 0 &&
	    !(job->spec->flags & (BUILD_ALLOW_INSECURE | BUILD_PRIVILEGED)))
		return df_report_fail(&job->report, ERR_DENIED, instr->place, err,
				      "RUN --security=insecure needs --allow security.insecure "
				      "(build.entitlements)");
	return 0;
}

static int check_stages(struct build_job *job, struct err *err)
{
	for (size_t i = 0; i < job->graph.stage_count; i++) {
		const struct df_stage *stage = &job->graph.stages[i];

		for (size_t n = 0; n < stage->instr_count && stage->is_needed; n++)
			if (check_instr(job, &stage->instrs[n], err) < 0)
				return -1;
	}
	return 0;
}

static bool is_told(const struct df_instr *instr)
{
	return instr->kind == DF_RUN || instr->kind == DF_COPY || instr->kind == DF_ADD ||
	       instr->kind == DF_WORKDIR;
}

/* binfmt_misc has a handler for programs of that architecture, or none is needed. */
static bool can_run(const struct platform *platform)
{
	static const struct {
		const char *arch, *handler;
	} handlers[] = {
		{"arm64",     "qemu-aarch64" },
                { "arm",      "qemu-arm"     },
		{ "386",      "qemu-i386"    },
                { "ppc64le",  "qemu-ppc64le" },
		{ "s390x",    "qemu-s390x"   },
                { "riscv64",  "qemu-riscv64" },
		{ "amd64",    "qemu-x86_64"  },
                { "mips64le", "qemu-mips64el"},
	};
	struct platform host;

	platform_host(&host);
	if (strcmp(host.arch, platform->arch) == 0 ||
	    (strcmp(host.arch, "amd64") == 0 && strcmp(platform->arch, "386") == 0))
		return true;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		AUTO(free) char *path = xformat("/proc/sys/fs/binfmt_misc/%s", handlers[i].handler);

		if (strcmp(handlers[i].arch, platform->arch) == 0 && access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static bool has_run(const struct df_stage *stage)
{
	for (size_t i = 0; i < stage->instr_count; i++)
		if (stage->instrs[i].kind == DF_RUN)
			return true;
	return false;
}

static int prepare_stage(struct build_job *job, size_t i, struct err *err)
{
	struct build_stage *stage = &job->stages[i];
	const struct df_stage *df = &job->graph.stages[i];
	const char *service = job->spec->name ? job->spec->name : "";
	const char *name = df->name ? df->name : arena_format(job->arena, "stage-%zu", df->index);
	bool alone = job->graph.order_count == 1 && !df->name;
	struct err inner = ERR_NONE;

	stage->job = job;
	stage->df = df;
	stage->title = alone      ? arena_strdup(job->arena, service)
		       : *service ? arena_format(job->arena, "%s %s", service, name)
				  : name;
	stage->platform = job->platform;
	if (df->platform && platform_parse(df->platform, &stage->platform, &inner) < 0)
		return df_report_fail(&job->report, inner.code, df->from->place, err,
				      "--platform: %s", inner.msg);
	if (df->is_needed && has_run(df) && !can_run(&stage->platform)) {
		char text[PLATFORM_TEXT_MAX];

		return df_report_fail(&job->report, ERR_UNSUPPORTED, df->from->place, err,
				      "stage %s: RUN for %s needs an emulator: no binfmt_misc "
				      "handler for %s is registered (qemu-user-static)",
				      name, platform_text(&stage->platform, text),
				      stage->platform.arch);
	}
	stage->count = 1;
	for (size_t n = 0; n < df->instr_count; n++)
		stage->count += is_told(&df->instrs[n]);
	return 0;
}

static int read_graph(struct build_job *job, size_t len, struct err *err)
{
	const struct build_spec *spec = job->spec;
	const char **names = arena_alloc(job->arena, (spec->context_count + 1) * sizeof(*names));
	struct df_graph_spec graph = { .target =
					       spec->target && *spec->target ? spec->target : NULL,
				       .inputs = &job->inputs,
				       .contexts = names,
				       .context_count = spec->context_count };

	for (size_t i = 0; i < spec->context_count; i++)
		names[i] = spec->contexts[i].name;
	if (df_lex(&job->report, job->text, len, &job->source, err) < 0 ||
	    df_parse(&job->report, &job->source, 0, &job->file, err) < 0)
		return -1;
	df_lint(&job->report, &job->file);
	if (df_graph_build(&job->report, &job->file, &graph, &job->graph, err) < 0 ||
	    check_stages(job, err) < 0)
		return -1;
	job->stages = arena_alloc(job->arena, (job->graph.stage_count + 1) * sizeof(*job->stages));
	for (size_t i = 0; i < job->graph.stage_count; i++)
		if (prepare_stage(job, i, err) < 0)
			return -1;
	return 0;
}

static void tell_unread(struct build_job *job, const struct err *err)
{
	struct json_object *object = json_object_new_object();
	unsigned line = job->report.error_place.line;

	json_object_object_add(object, "event", json_object_new_string("error"));
	json_object_object_add(object, "code", json_object_new_string(err_code_name(err->code)));
	json_object_object_add(object, "error", json_object_new_string(err->msg));
	if (line)
		json_object_object_add(
			object, "snippet",
			json_object_new_string(df_report_snippet(&job->report, line, line)));
	build_event_send(job->build->events, object);
}

int build_job_read(struct build_job *job, struct err *err)
{
	const struct build_spec *spec = job->spec;
	bool is_explicit;
	size_t len = 0;

	job->arena = arena_new();
	pthread_mutex_init(&job->pure, NULL);
	job->named = xcalloc(spec->context_count + 1, sizeof(*job->named));
	job->named_fetched = xcalloc(spec->context_count + 1, sizeof(*job->named_fetched));
	if (platform_wanted(spec->platform, &job->platform, &is_explicit, err) == 0 &&
	    read_text(job, &len, err) == 0) {
		if (!is_explicit)
			plain_host(&job->platform);
		fill_inputs(job);
		if (read_graph(job, len, err) == 0) {
			build_job_tell_warnings(job);
			return 0;
		}
		build_job_tell_warnings(job);
	}
	if (spec->name && *spec->name)
		err_wrap(err, "service %s", spec->name);
	tell_unread(job, err);
	return -1;
}

void build_job_tell_warnings(struct build_job *job)
{
	for (; job->warnings_told < job->report.warning_count; job->warnings_told++) {
		const struct df_warning *warning = &job->report.warnings[job->warnings_told];
		AUTO(free)
		char *text = xformat("%s:%u: %s: %s", job->report.file, warning->place.line,
				     df_check_name(warning->check), warning->text);

		build_event_warning(job->build->events, text);
	}
}

static void close_contexts(struct build_job *job)
{
	for (size_t i = 0; job->named && i < job->spec->context_count; i++) {
		if (job->named_fetched[i])
			df_fetched_free(job->named_fetched[i]);
		else if (job->named[i])
			df_context_free(job->named[i]);
	}
	if (job->fetched)
		df_fetched_free(job->fetched);
	else if (job->context)
		df_context_free(job->context);
}

void build_job_close(struct build_job *job)
{
	if (!job->arena)
		return;
	for (size_t i = 0; job->stages && i < job->graph.stage_count; i++) {
		struct build_stage *stage = &job->stages[i];

		if (stage->context)
			df_context_free(stage->context);
		if (stage->state.image)
			df_state_end(&stage->state);
		free(stage->steps);
	}
	close_contexts(job);
	free(job->named);
	free(job->named_fetched);
	free(job->text);
	pthread_mutex_destroy(&job->pure);
	arena_free(job->arena);
}
