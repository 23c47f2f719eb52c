/* orchestrator/build_service - the `build` of a service in the builder's words.
 *
 * Owns: which key of `build` becomes what. May not touch: how it is built.
 */
#include "orchestrator/build_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"
#include "images/platform.h"

static const char *const proxy_names[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",   "NO_PROXY",
					   "ALL_PROXY",  "http_proxy",  "https_proxy", "ftp_proxy",
					   "no_proxy",   "all_proxy" };

bool build_arg_read(struct arena *arena, const char *text, const char *(*lookup)(const char *name),
		    struct df_build_arg *out)
{
	const char *sign = strchr(text, '=');
	const char *value;

	if (sign) {
		*out = (struct df_build_arg){ arena_strndup(arena, text, (size_t)(sign - text)),
					      sign + 1 };
		return true;
	}
	value = lookup ? lookup(text) : NULL;
	*out = (struct df_build_arg){ text, value };
	return value != NULL;
}

int build_ssh_read(struct arena *arena, const char *text, const char *ssh_auth_sock,
		   struct build_ssh *out, struct err *err)
{
	const char *sign = strchr(text, '=');

	out->id = sign ? arena_strndup(arena, text, (size_t)(sign - text)) : text;
	out->socket = sign && sign[1] ? sign + 1 : ssh_auth_sock;
	if (!out->socket || !*out->socket)
		return err_set(err, ERR_INVALID, "ssh %s: SSH_AUTH_SOCK is not set", out->id);
	return 0;
}

int build_entitlement(const char *word, unsigned *flags, struct err *err)
{
	static const struct {
		const char *word;
		unsigned flag;
	} known[] = {
		{"network.host",       BUILD_ALLOW_HOST_NET},
		{ "security.insecure", BUILD_ALLOW_INSECURE},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].word, word) == 0) {
			*flags |= known[i].flag;
			return 0;
		}
	return err_set(err, ERR_INVALID,
		       "entitlement \"%s\": must be network.host or security.insecure", word);
}

/* ---- arguments ---- */

struct args {
	struct arena *arena;
	struct df_build_arg *items;
	size_t count;
};

static void add_arg(struct args *args, const char *name, const char *value)
{
	struct df_build_arg *one =
		arena_grow(args->arena, &args->items, &args->count, sizeof(*one));

	*one = (struct df_build_arg){ name, value };
}

/* The caller's proxies go along, as with docker; what the file or the flags say comes later and
 * wins. */
static void fill_args(struct args *args, const struct build *build,
		      const struct build_service_options *options)
{
	for (size_t i = 0; options->lookup && i < sizeof(proxy_names) / sizeof(*proxy_names); i++)
		if (options->lookup(proxy_names[i]))
			add_arg(args, proxy_names[i], options->lookup(proxy_names[i]));
	for (size_t i = 0; i < build->args.count; i++)
		if (build->args.items[i].value)
			add_arg(args, build->args.items[i].name, build->args.items[i].value);
	for (size_t i = 0; i < options->arg_count; i++) {
		struct df_build_arg arg;

		if (build_arg_read(args->arena, options->args[i], options->lookup, &arg))
			add_arg(args, arg.name, arg.value);
	}
}

static int64_t epoch_of(const struct args *args, const char *(*lookup)(const char *name))
{
	const char *text = lookup ? lookup("SOURCE_DATE_EPOCH") : NULL;
	struct err ignored = ERR_NONE;
	uint64_t value;

	for (size_t i = 0; i < args->count; i++)
		if (strcmp(args->items[i].name, "SOURCE_DATE_EPOCH") == 0)
			text = args->items[i].value;
	if (!text || !*text ||
	    num_parse_u64("SOURCE_DATE_EPOCH", text, strlen(text), 0, INT64_MAX / 1000000000,
			  &value, &ignored) < 0)
		return -1;
	return (int64_t)value;
}

/* ---- secrets, ssh, contexts ---- */

static int add_secrets(struct arena *arena, const struct project *project,
		       const struct build *build, struct build_spec *out, struct err *err)
{
	struct build_secret *list = arena_alloc(arena, (build->secret_count + 1) * sizeof(*list));

	for (size_t i = 0; i < build->secret_count; i++) {
		const struct file_use *use = &build->secrets[i];
		const struct file_source *source = project_find_secret(project, use->source);

		list[i].id = use->target && *use->target ? use->target : use->source;
		if (!source)
			return err_set(err, ERR_NOT_FOUND,
				       "build.secrets: secret %s is not declared", use->source);
		if (source->external)
			return err_set(err, ERR_UNSUPPORTED,
				       "build.secrets: %s is external: a build takes secrets from "
				       "files and variables",
				       use->source);
		list[i].file = source->file;
		list[i].value = source->value ? source->value : source->content;
		list[i].len = list[i].value ? strlen(list[i].value) : 0;
		if (!list[i].file && !list[i].value)
			return err_set(err, ERR_NOT_FOUND,
				       "build.secrets: the variable of secret %s is not set",
				       use->source);
	}
	out->secrets = list;
	out->secret_count = build->secret_count;
	return 0;
}

static int add_ssh(struct arena *arena, const struct build *build,
		   const struct build_service_options *options, struct build_spec *out,
		   struct err *err)
{
	struct build_ssh *list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < build->ssh.count; i++) {
		const struct pair *pair = &build->ssh.items[i];
		struct build_ssh *one = arena_grow(arena, &list, &count, sizeof(*one));
		const char *text = pair->value && *pair->value
					   ? arena_format(arena, "%s=%s", pair->name, pair->value)
					   : pair->name;

		if (build_ssh_read(arena, text, options->ssh_auth_sock, one, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < options->ssh_count; i++) {
		struct build_ssh *one = arena_grow(arena, &list, &count, sizeof(*one));

		if (build_ssh_read(arena, options->ssh[i], options->ssh_auth_sock, one, err) < 0)
			return -1;
	}
	out->ssh = list;
	out->ssh_count = count;
	return 0;
}

static void add_contexts(struct arena *arena, const struct build *build, struct build_spec *out)
{
	const struct pairs *pairs = &build->additional_contexts;
	struct build_context *list = arena_alloc(arena, (pairs->count + 1) * sizeof(*list));

	for (size_t i = 0; i < pairs->count; i++)
		list[i] = (struct build_context){ pairs->items[i].name,
						  pairs->items[i].value ? pairs->items[i].value
									: "" };
	out->contexts = list;
	out->context_count = pairs->count;
}

/* ---- platform ---- */

/* One of build.platforms: the service's, else this machine's, else the first. */
static const char *choose_platform(struct arena *arena, const struct service *service,
				   const char **out_notice)
{
	const struct texts *platforms = &service->build->platforms;
	struct platform host;
	const char *chosen = service->platform;

	platform_host(&host);
	for (size_t i = 0; !chosen && i < platforms->count; i++) {
		struct platform one;
		struct err ignored = ERR_NONE;

		if (platform_parse(platforms->items[i], &one, &ignored) == 0 &&
		    strcmp(one.arch, host.arch) == 0 && strcmp(one.os, host.os) == 0)
			chosen = platforms->items[i];
	}
	if (!chosen && platforms->count)
		chosen = platforms->items[0];
	if (platforms->count > 1)
		*out_notice = arena_format(
			arena,
			"service %s: of several platforms only %s is built (one image, no index)",
			service->name, chosen);
	return chosen;
}

static void fill_limits(struct arena *arena, const struct build *build,
			const struct build_service_options *options, struct build_spec *out)
{
	struct service *limits = arena_alloc(arena, sizeof(*limits));

	limits->name = "RUN";
	limits->shm_size = build->shm_size;
	limits->ulimits = build->ulimits;
	limits->ulimit_count = build->ulimit_count;
	limits->extra_hosts = build->extra_hosts;
	if (options->memory_bytes)
		limits->mem_limit = (struct opt_bytes){ options->memory_bytes, true };
	out->limits = limits;
}

static void fill_tags(struct arena *arena, const struct project *project,
		      const struct service *service, struct build_spec *out)
{
	const struct texts *more = &service->build->tags;
	const char **tags = arena_alloc(arena, (more->count + 2) * sizeof(*tags));

	tags[0] = service_image_name(arena, project, service);
	for (size_t i = 0; i < more->count; i++)
		tags[i + 1] = more->items[i];
	out->tags = (struct texts){ tags, more->count + 1 };
}

/* "Dockerfile" that nobody wrote leaves room for "dockerfile". */
static const char *file_of(const struct build *build)
{
	return build->dockerfile && strcmp(build->dockerfile, "Dockerfile") != 0 ? build->dockerfile
										 : NULL;
}

int build_service_spec(struct arena *arena, const struct project *project,
		       const struct service *service, const struct build_service_options *options,
		       struct build_spec *out, const char **out_notice, struct err *err)
{
	const struct build *build = service->build;
	struct args args = { .arena = arena };

	*out_notice = NULL;
	*out = (struct build_spec){ .name = service->name,
				    .context =
					    build->context ? build->context : project->working_dir,
				    .dockerfile = file_of(build),
				    .inline_text = build->dockerfile_inline,
				    .target = build->target,
				    .labels = build->labels,
				    .cache_from = build->cache_from,
				    .cache_to = build->cache_to,
				    .no_cache_filter = build->no_cache_filter,
				    .network = build->network,
				    .flags = options->flags };
	fill_args(&args, build, options);
	out->args = args.items;
	out->arg_count = args.count;
	out->epoch_s = epoch_of(&args, options->lookup);
	out->flags |= (build->no_cache ? BUILD_NO_CACHE : 0) | (build->pull ? BUILD_PULL : 0) |
		      (build->privileged ? BUILD_PRIVILEGED : 0);
	for (size_t i = 0; i < build->entitlements.count; i++)
		if (build_entitlement(build->entitlements.items[i], &out->flags, err) < 0)
			return err_wrap(err, "service %s", service->name);
	out->platform = choose_platform(arena, service, out_notice);
	fill_limits(arena, build, options, out);
	fill_tags(arena, project, service, out);
	add_contexts(arena, build, out);
	if (add_secrets(arena, project, build, out, err) < 0 ||
	    add_ssh(arena, build, options, out, err) < 0)
		return err_wrap(err, "service %s", service->name);
	return 0;
}
