/* orchestrator/cli/cmd_build - `build` of a project, and `image build` of one Dockerfile.
 *
 * Owns: their flags. May not touch: how images are built (orchestrator/build).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "orchestrator/cli/build_flags.h"
#include "orchestrator/cli/build_follow.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/transfer.h"
#include "specs/units.h"

/* clang-format off */
const struct option_row build_options[] = {
	OPT_LIST("build-arg", 0, "NAME[=VALUE]", "Build argument, over build.args"),
	OPT_FLAG("no-cache", 0, "Build all steps anew"),
	OPT_FLAG("pull", 0, "Ask the registries for newer base images"),
	OPT_FLAG("push", 0, "Push the images afterwards"),
	OPT_FLAG("quiet", 'q', "No progress"),
	OPT_FLAG("with-dependencies", 0, "What the services depend on, too"),
	OPT_TEXT("memory", 'm', "BYTES", "Memory limit of RUN"),
	OPT_LIST("ssh", 0, "ID[=SOCKET]", "Agent for RUN --mount=type=ssh; default: SSH_AUTH_SOCK"),
	OPT_FLAG("check", 0, "Read the Dockerfiles and tell warnings, build nothing"),
	OPT_FLAG("print", 0, "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_TEXT("builder", 0, "NAME", "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_TEXT("provenance", 0, "WORD", "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_TEXT("sbom", 0, "WORD", "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_END,
};
const struct option_row image_build_options[] = {
	OPT_TEXT("file", 'f', "FILE", "Dockerfile (default: Dockerfile of the context; \"-\" is stdin)"),
	OPT_LIST("tag", 't', "NAME", "Name of the image"),
	OPT_TEXT("target", 0, "STAGE", "Stage to build"),
	OPT_LIST("build-arg", 0, "NAME[=VALUE]", "Build argument"),
	OPT_LIST("build-context", 0, "NAME=VALUE", "Further context: folder, docker-image://REF, URL"),
	OPT_TEXT("platform", 0, "OS/ARCH", "Platform of the image"),
	OPT_LIST("label", 0, "NAME=VALUE", "Label of the image"),
	OPT_LIST("secret", 0, "id=ID[,src=FILE|,env=NAME]", "Secret for RUN --mount=type=secret"),
	OPT_LIST("ssh", 0, "ID[=SOCKET]", "Agent for RUN --mount=type=ssh"),
	OPT_FLAG("no-cache", 0, "Build all steps anew"),
	OPT_LIST("no-cache-filter", 0, "STAGE", "Build the steps of this stage anew"),
	OPT_FLAG("pull", 0, "Ask the registries for newer base images"),
	OPT_TEXT("network", 0, "default|none|host", "Network of RUN"),
	OPT_LIST("add-host", 0, "NAME:IP", "Line of /etc/hosts in RUN"),
	OPT_LIST("allow", 0, "network.host|security.insecure", "What instructions may ask for"),
	OPT_LIST("cache-from", 0, "REF|type=registry,ref=REF|type=local,src=DIR", "Cache of another build"),
	OPT_LIST("cache-to", 0, "type=registry,ref=REF|type=local,dest=DIR|type=inline", "Where the cache goes"),
	OPT_TEXT("shm-size", 0, "BYTES", "/dev/shm of RUN"),
	OPT_LIST("ulimit", 0, "NAME=SOFT[:HARD]", "Limit of RUN"),
	OPT_TEXT("memory", 'm', "BYTES", "Memory limit of RUN"),
	OPT_LIST("output", 'o', "type=local|tar|oci|docker,dest=PATH", "Write the result, too"),
	OPT_TEXT("iidfile", 0, "FILE", "Write the image's ID there"),
	OPT_TEXT("metadata-file", 0, "FILE", "Write ID, digest and names there as JSON"),
	OPT_FLAG("rewrite-timestamp", 0, "No file is younger than SOURCE_DATE_EPOCH"),
	OPT_FLAG("push", 0, "Push the names afterwards"),
	OPT_FLAG("load", 0, "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_FLAG("rm", 0, "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_FLAG("force-rm", 0, "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_TEXT("provenance", 0, "WORD", "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_TEXT("sbom", 0, "WORD", "Accepted, no effect", .flags = OPTION_HIDDEN),
	OPT_FLAG("quiet", 'q', "Print the ID alone"),
	OPT_FLAG("check", 0, "Read the Dockerfile and tell warnings, build nothing"),
	OPT_NUMBER("jobs", 0, "N", "Steps at once (default: as many as CPUs)", .min = 0, .max = 1024),
	OPT_END,
};
/* clang-format on */

static int push_all(struct cli *cli, const struct json_object *images, struct err *err)
{
	struct transfer_options transfer = { .root = cli->roots->state,
					     .runtime_root = cli->roots->run,
					     .config_path = options_text(
						     options_globals(cli->options), "config") };
	struct transfer_push_options push = { 0 };

	for (size_t i = 0; i < json_array_count(images); i++) {
		const struct json_object *tags =
			json_array_at(json_object_array_get_idx(images, i), "tags");

		for (size_t n = 0; n < json_array_count(tags); n++) {
			const char *ref =
				json_object_get_string(json_object_array_get_idx(tags, n));

			if (transfer_push(ref, &push, &transfer, err) < 0)
				return -1;
			if (cli->progress != PROGRESS_QUIET && cli->progress != PROGRESS_JSON)
				fprintf(stderr, " Image %s  Pushed\n", ref);
		}
	}
	return 0;
}

/* ---- build [SERVICE...] ---- */

int build_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct build_service_options how = { .lookup = build_lookup,
					     .ssh_auth_sock = getenv("SSH_AUTH_SOCK") };
	AUTO(json) struct json_object *images = NULL;
	const char *memory = options_text(options, "memory");
	struct load_result loaded;
	unsigned which = BUILD_ALL;
	uint64_t bytes = 0;
	size_t buildable = 0;

	if (memory && units_parse_bytes(memory, &bytes, err) < 0)
		return err_wrap(err, "--memory");
	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    cli_roots(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < loaded.project->service_count; i++)
		buildable += loaded.project->services[i].build != NULL;
	if (!buildable) {
		cli_warn("no service to build");
		return 0;
	}
	how.memory_bytes = (int64_t)bytes;
	how.args = options_list(options, "build-arg", &how.arg_count);
	how.ssh = options_list(options, "ssh", &how.ssh_count);
	how.flags = (options_flag(options, "no-cache") ? BUILD_NO_CACHE : 0) |
		    (options_flag(options, "pull") ? BUILD_PULL : 0) |
		    (options_flag(options, "check") ? BUILD_CHECK : 0);
	if (options_flag(options, "with-dependencies"))
		which |= BUILD_WITH_DEPENDENCIES;
	if (build_services(cli, loaded.project, options_arguments(options), which, &how,
			   options_flag(options, "quiet") ? PROGRESS_QUIET : cli->progress, &images,
			   err) < 0)
		return -1;
	return options_flag(options, "push") && images ? push_all(cli, images, err) : 0;
}

/* ---- image build CONTEXT ---- */

static int write_text_file(const char *path, const char *text, struct err *err)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		return err_sys(err, errno, "write %s", path);
	return 0;
}

/* buildx's words for what it writes. */
static int write_metadata(const char *path, const struct json_object *image, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	const struct json_object *tags = json_array_at(image, "tags");
	char *text = NULL;
	size_t size;
	FILE *names = open_memstream(&text, &size);

	for (size_t i = 0; names && i < json_array_count(tags); i++)
		fprintf(names, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(tags, i)));
	if (names)
		fclose(names);
	json_add_text(json, "containerimage.config.digest", json_text_or(image, "id", NULL));
	json_add_text(json, "containerimage.digest", json_text_or(image, "digest", NULL));
	json_add_text(json, "image.name", text);
	free(text);
	return write_text_file(
		path,
		json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
							     JSON_C_TO_STRING_NOSLASHESCAPE),
		err);
}

static int tell_result(struct cli *cli, const struct options *options,
		       const struct json_object *images, struct err *err)
{
	const struct json_object *image = json_object_array_get_idx(images, 0);
	const char *iidfile = options_text(options, "iidfile");
	const char *metadata = options_text(options, "metadata-file");

	if (!image)
		return 0;
	if (options_flag(options, "quiet"))
		puts(json_text_or(image, "id", ""));
	if (iidfile && write_text_file(iidfile, json_text_or(image, "id", ""), err) < 0)
		return -1;
	if (metadata && write_metadata(metadata, image, err) < 0)
		return -1;
	return options_flag(options, "push") ? push_all(cli, images, err) : 0;
}

int image_build_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *images = NULL;
	struct build_spec spec;
	enum progress_form form = options_flag(options, "quiet") ? PROGRESS_QUIET : cli->progress;

	if (cli_roots(cli, err) < 0 || build_flags_read(cli, options, &spec, err) < 0 ||
	    build_follow(cli, &spec, 1, form, (size_t)options_number(options, "jobs"), &images,
			 err) < 0)
		return -1;
	return tell_result(cli, options, images, err);
}
