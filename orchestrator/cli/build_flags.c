/* orchestrator/cli/build_flags - the flags of `image build` as a build_spec.
 *
 * Owns: the grammar of each flag's value. May not touch: building.
 */
#include "orchestrator/cli/build_flags.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"
#include "images/dockerfile/context.h"
#include "images/dockerfile/context_fetch.h"
#include "orchestrator/build_service.h"
#include "orchestrator/cli/build_follow.h"
#include "specs/units.h"

/* Against the caller's folder; the file need not be there. */
static const char *absolute(struct cli *cli, const char *path)
{
	char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	const char *whole = here ? arena_format(cli->arena, "%s/%s", here, path) : path;

	free(here);
	return whole;
}

/* "a=1,b=2": the value of a key in the arena, or NULL. */
static const char *csv_get(struct arena *arena, const char *text, const char *key)
{
	struct slice rest = SLICE(text), part, name, value;

	while (slice_next(&rest, ',', &part))
		if (slice_split(part, '=', &name, &value) && slice_is(name, key))
			return arena_strndup(arena, value.at, value.len);
	return NULL;
}

/* ---- context and file ---- */

static int read_context(struct cli *cli, const struct options *options, struct build_spec *out,
			struct err *err)
{
	const char *given = options_argument(options, 0);
	char real[PATH_MAX];

	if (df_context_kind(given) != DF_CONTEXT_FOLDER) {
		out->context = given;
		return 0;
	}
	if (!realpath(given, real))
		return err_sys(err, errno, "context %s", given);
	out->context = arena_strdup(cli->arena, real);
	return 0;
}

/* -f FILE is relative to the caller and may lie outside of the context; below a context that is no
 * folder here it is a name in there. */
static int read_file(struct cli *cli, const struct options *options, struct build_spec *out,
		     struct err *err)
{
	const char *file = options_text(options, "file");
	AUTO(free) char *text = NULL;
	size_t len;

	if (!file)
		return 0;
	if (strcmp(file, "-") == 0) {
		if (strcmp(out->context, "-") == 0)
			return err_set(err, ERR_INVALID,
				       "-f - and the context - cannot both be standard input");
		if (file_read_fd(STDIN_FILENO, "stdin", DF_DOCKERFILE_MAX, &text, &len, err) < 0)
			return -1;
		out->inline_text = arena_strndup(cli->arena, text, len);
		return 0;
	}
	out->dockerfile = df_context_kind(options_argument(options, 0)) == DF_CONTEXT_FOLDER
				  ? absolute(cli, file)
				  : file;
	return 0;
}

/* ---- lists ---- */

static int read_args(struct cli *cli, const struct options *options, struct build_spec *out)
{
	size_t count, used = 0;
	const char *const *given = options_list(options, "build-arg", &count);
	static const char *const proxies[] = {
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
		"http_proxy", "https_proxy", "ftp_proxy", "no_proxy"
	};
	size_t proxy_count = sizeof(proxies) / sizeof(*proxies);
	struct df_build_arg *args =
		arena_alloc(cli->arena, (count + proxy_count + 1) * sizeof(*args));
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct err ignored = ERR_NONE;
	uint64_t seconds;

	for (size_t i = 0; i < proxy_count; i++)
		if (getenv(proxies[i]))
			args[used++] = (struct df_build_arg){ proxies[i], getenv(proxies[i]) };
	for (size_t i = 0; i < count; i++) {
		if (!build_arg_read(cli->arena, given[i], build_lookup, &args[used]))
			continue;
		if (strcmp(args[used].name, "SOURCE_DATE_EPOCH") == 0)
			epoch = args[used].value;
		used++;
	}
	out->args = args;
	out->arg_count = used;
	out->epoch_s = -1;
	if (epoch && num_parse_u64("SOURCE_DATE_EPOCH", epoch, strlen(epoch), 0,
				   INT64_MAX / 1000000000, &seconds, &ignored) == 0)
		out->epoch_s = (int64_t)seconds;
	return 0;
}

static int read_pairs(struct cli *cli, const struct options *options, const char *flag,
		      struct pairs *out, struct err *err)
{
	const char *const *given = options_list(options, flag, &out->count);

	out->items = arena_alloc(cli->arena, (out->count + 1) * sizeof(*out->items));
	for (size_t i = 0; i < out->count; i++) {
		const char *sign = strchr(given[i], '=');

		if (sign == given[i])
			return err_set(err, ERR_INVALID, "--%s %s: a name is missing", flag,
				       given[i]);
		out->items[i].name =
			sign ? arena_strndup(cli->arena, given[i], (size_t)(sign - given[i]))
			     : given[i];
		out->items[i].value = sign ? sign + 1 : "";
	}
	return 0;
}

static int read_contexts(struct cli *cli, const struct options *options, struct build_spec *out,
			 struct err *err)
{
	struct build_context *list;
	struct pairs pairs;

	if (read_pairs(cli, options, "build-context", &pairs, err) < 0)
		return -1;
	list = arena_alloc(cli->arena, (pairs.count + 1) * sizeof(*list));
	for (size_t i = 0; i < pairs.count; i++) {
		const char *value = pairs.items[i].value;

		if (!*value)
			return err_set(err, ERR_INVALID, "--build-context %s: must be NAME=VALUE",
				       pairs.items[i].name);
		list[i].name = pairs.items[i].name;
		list[i].value = strstr(value, "://") || text_starts(value, "git@")
					? value
					: absolute(cli, value);
	}
	out->contexts = list;
	out->context_count = pairs.count;
	return 0;
}

static int read_secret(struct cli *cli, const char *text, struct build_secret *out, struct err *err)
{
	const char *type = csv_get(cli->arena, text, "type");
	const char *file = csv_get(cli->arena, text, "src"), *env;

	if (!file)
		file = csv_get(cli->arena, text, "source");
	env = csv_get(cli->arena, text, "env");
	out->id = csv_get(cli->arena, text, "id");
	if (!out->id && !strchr(text, '='))
		out->id = text;
	if (!out->id)
		return err_set(err, ERR_INVALID, "--secret %s: id= is missing", text);
	if (type && strcmp(type, "env") == 0 && !env)
		env = file ? file : out->id;
	else if (!file && !env)
		env = out->id;
	if (env && (!file || (type && strcmp(type, "env") == 0))) {
		out->value = getenv(env);
		if (!out->value)
			return err_set(err, ERR_NOT_FOUND,
				       "--secret %s: the variable %s is not set", text, env);
		out->len = strlen(out->value);
		return 0;
	}
	out->file = absolute(cli, file);
	if (access(out->file, R_OK) < 0)
		return err_sys(err, errno, "--secret %s", text);
	return 0;
}

static int read_secrets(struct cli *cli, const struct options *options, struct build_spec *out,
			struct err *err)
{
	size_t count;
	const char *const *given = options_list(options, "secret", &count);
	struct build_secret *list = arena_alloc(cli->arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; i < count; i++)
		if (read_secret(cli, given[i], &list[i], err) < 0)
			return -1;
	out->secrets = list;
	out->secret_count = count;
	given = options_list(options, "ssh", &out->ssh_count);
	out->ssh = arena_alloc(cli->arena, (out->ssh_count + 1) * sizeof(*out->ssh));
	for (size_t i = 0; i < out->ssh_count; i++)
		if (build_ssh_read(cli->arena, given[i], getenv("SSH_AUTH_SOCK"),
				   (struct build_ssh *)(uintptr_t)&out->ssh[i], err) < 0)
			return err_wrap(err, "--ssh");
	return 0;
}

/* ---- limits ---- */

static int read_bytes(const struct options *options, const char *flag, struct opt_bytes *out,
		      struct err *err)
{
	const char *text = options_text(options, flag);
	uint64_t bytes;

	if (!text)
		return 0;
	if (units_parse_bytes(text, &bytes, err) < 0)
		return err_wrap(err, "--%s", flag);
	*out = (struct opt_bytes){ (int64_t)bytes, true };
	return 0;
}

static int read_ulimit(struct cli *cli, const char *text, struct ulimit *out, struct err *err)
{
	struct slice name, values, soft, hard;
	uint64_t numbers[2];

	if (!slice_split(SLICE(text), '=', &name, &values))
		return err_set(err, ERR_INVALID, "--ulimit %s: must be NAME=SOFT[:HARD]", text);
	if (!slice_split(values, ':', &soft, &hard))
		hard = soft;
	if (num_parse_u64("--ulimit", soft.at, soft.len, 0, INT64_MAX, &numbers[0], err) < 0 ||
	    num_parse_u64("--ulimit", hard.at, hard.len, 0, INT64_MAX, &numbers[1], err) < 0)
		return -1;
	out->name = arena_strndup(cli->arena, name.at, name.len);
	out->soft = (struct opt_int){ (int64_t)numbers[0], true };
	out->hard = (struct opt_int){ (int64_t)numbers[1], true };
	return 0;
}

static int read_limits(struct cli *cli, const struct options *options, struct build_spec *out,
		       struct err *err)
{
	struct service *limits = arena_alloc(cli->arena, sizeof(*limits));
	const char *const *given = options_list(options, "ulimit", &limits->ulimit_count);
	size_t hosts;

	limits->name = "RUN";
	limits->ulimits =
		arena_alloc(cli->arena, (limits->ulimit_count + 1) * sizeof(*limits->ulimits));
	for (size_t i = 0; i < limits->ulimit_count; i++)
		if (read_ulimit(cli, given[i], &limits->ulimits[i], err) < 0)
			return -1;
	given = options_list(options, "add-host", &hosts);
	limits->extra_hosts.items = arena_alloc(cli->arena, (hosts + 1) * sizeof(char *));
	for (size_t i = 0; i < hosts; i++) {
		char *text = arena_strdup(cli->arena, given[i]);
		size_t at = strcspn(text, "=:");

		if (!text[at] || !at)
			return err_set(err, ERR_INVALID, "--add-host %s: must be NAME:IP", text);
		text[at] = '=';
		limits->extra_hosts.items[limits->extra_hosts.count++] = text;
	}
	out->limits = limits;
	if (read_bytes(options, "shm-size", &limits->shm_size, err) < 0)
		return -1;
	return read_bytes(options, "memory", &limits->mem_limit, err);
}

static int read_outputs(struct cli *cli, const struct options *options, struct build_spec *out,
			struct err *err)
{
	size_t count;
	const char *const *given = options_list(options, "output", &count);
	struct build_output *list = arena_alloc(cli->arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; i < count; i++) {
		const char *type = csv_get(cli->arena, given[i], "type");
		const char *dest = csv_get(cli->arena, given[i], "dest");

		if (!strchr(given[i], '=')) { /* -o DIR, -o - */
			dest = given[i];
			type = strcmp(dest, "-") == 0 ? "tar" : "local";
		}
		if (!type)
			return err_set(err, ERR_INVALID, "--output %s: type= is missing", given[i]);
		if (!dest && strcmp(type, "image") != 0 && strcmp(type, "local") != 0)
			dest = "-";
		if (!dest && strcmp(type, "local") == 0)
			return err_set(err, ERR_INVALID, "--output %s: dest= is missing", given[i]);
		list[i].type = type;
		list[i].dest = dest && strcmp(dest, "-") != 0 ? absolute(cli, dest) : dest;
	}
	out->outputs = list;
	out->output_count = count;
	return 0;
}

static struct texts texts_of(const struct options *options, const char *flag)
{
	struct texts texts;

	texts.items = (const char **)(uintptr_t)options_list(options, flag, &texts.count);
	return texts;
}

int build_flags_read(struct cli *cli, const struct options *options, struct build_spec *out,
		     struct err *err)
{
	size_t count;
	const char *const *allowed = options_list(options, "allow", &count);

	*out = (struct build_spec){ .target = options_text(options, "target"),
				    .platform = options_text(options, "platform"),
				    .network = options_text(options, "network"),
				    .tags = texts_of(options, "tag"),
				    .cache_from = texts_of(options, "cache-from"),
				    .cache_to = texts_of(options, "cache-to"),
				    .no_cache_filter = texts_of(options, "no-cache-filter") };
	out->flags = (options_flag(options, "no-cache") ? BUILD_NO_CACHE : 0) |
		     (options_flag(options, "pull") ? BUILD_PULL : 0) |
		     (options_flag(options, "check") ? BUILD_CHECK : 0) |
		     (options_flag(options, "rewrite-timestamp") ? BUILD_REWRITE_TIMESTAMP : 0);
	for (size_t i = 0; i < count; i++)
		if (build_entitlement(allowed[i], &out->flags, err) < 0)
			return err_wrap(err, "--allow");
	if (read_context(cli, options, out, err) < 0 || read_file(cli, options, out, err) < 0 ||
	    read_args(cli, options, out) < 0 ||
	    read_pairs(cli, options, "label", &out->labels, err) < 0 ||
	    read_contexts(cli, options, out, err) < 0 || read_secrets(cli, options, out, err) < 0 ||
	    read_limits(cli, options, out, err) < 0)
		return -1;
	return read_outputs(cli, options, out, err);
}
