/* orchestrator/cli/cmd_export - export kubernetes, export swarm: the resolved files as documents
 * for others.
 *
 * Owns: flags, where documents go, the report's form, what --strict means. Touches no state: it
 * reads the files, and what they name. May not touch: the translation (specs/export).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "specs/export/export.h"

/* clang-format off */
#define SHARED_OPTIONS \
	OPT_TEXT("output", 'o', "DIR", "Write a file for each object into this folder (default: stdout)"), \
	OPT_CHOICE("format", 0, "yaml|json", "yaml: documents, with the report as a table on stderr; json: one object with both", .fallback = "yaml"), \
	OPT_CHOICE("report", 0, "differences|all|none", "Lines of the report", .fallback = "differences"), \
	OPT_FLAG("strict", 0, "Write nothing, and fail, when a key would be dropped"), \
	OPT_FLAG("with-secrets", 0, "Write the values of secrets, too")

static const struct option_row kubernetes_options[] = {
	SHARED_OPTIONS,
	OPT_TEXT("namespace", 0, "NAME", "Namespace of all objects (default: kubectl's)"),
	OPT_CHOICE("publish", 0, "load-balancer|node-port|none", "How published ports are offered", .fallback = "load-balancer"),
	OPT_TEXT("storage-class", 0, "NAME", "Storage class of claims (default: the cluster's)"),
	OPT_TEXT("volume-size", 0, "SIZE", "Size of claims", .fallback = "1Gi"),
	OPT_TEXT("wait-image", 0, "IMAGE", "Image with sh, nc and nslookup: pods wait for what they depend on"),
	OPT_END,
};
static const struct option_row swarm_options[] = {
	SHARED_OPTIONS,
	OPT_END,
};

static int kubernetes_command(struct cli *cli, const struct options *options, struct err *err);
static int swarm_command(struct cli *cli, const struct options *options, struct err *err);

const struct command export_commands[] = {
	{ "kubernetes", NULL, "[SERVICE...]", "Write Kubernetes manifests, and tell what became of every key", NULL,
	  EXAMPLES("stack export kubernetes | kubectl apply -f -", "the whole file", "stack export kubernetes -o k8s --with-secrets", "a file for each object, Secrets too"), NULL,
	  kubernetes_options, NULL, kubernetes_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ "swarm", NULL, "[SERVICE...]", "Write a stack file for docker stack deploy, and tell what became of every key", NULL,
	  EXAMPLES("stack export swarm -o swarm && docker stack deploy -c swarm/stack.yaml shop", "on a manager"), NULL,
	  swarm_options, NULL, swarm_command, 0, ARGUMENTS_ANY, ARGUMENT_SERVICE, 0 },
	{ .name = NULL },
};
/* clang-format on */

/* ---- what the files name ---- */

static enum export_file read_path(void *ctx, const char *path, size_t max, const char **out_text,
				  size_t *out_len)
{
	struct arena *arena = ctx;
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO(free) char *text = NULL;
	struct err err = ERR_NONE;
	struct stat st;
	char *copy;

	if (fd < 0)
		return errno == ENOENT ? EXPORT_FILE_MISSING : EXPORT_FILE_OTHER;
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return EXPORT_FILE_OTHER;
	if (S_ISDIR(st.st_mode))
		return EXPORT_FILE_FOLDER;
	if ((uint64_t)st.st_size > max)
		return EXPORT_FILE_PLAIN;
	if (file_read_fd(fd, path, max, &text, out_len, &err) < 0)
		return EXPORT_FILE_OTHER;
	copy = arena_alloc(arena, *out_len + 1);
	memcpy(copy, text, *out_len);
	*out_text = copy;
	return EXPORT_FILE_PLAIN;
}

/* ---- documents out ---- */

static int write_document(struct cli *cli, int folder_fd, const struct export_document *document,
			  struct err *err)
{
	const char *slash = strrchr(document->file, '/');
	const char *text =
		document->object ? export_yaml(cli->arena, document->object) : document->text;
	size_t len = document->object ? strlen(text) : document->text_len;
	AUTO(fd) int fd = -1;

	if (slash && file_make_dirs(folder_fd,
				    arena_strndup(cli->arena, document->file,
						  (size_t)(slash - document->file)),
				    0777, err) < 0)
		return -1;
	/* removed first: a link is not followed, and a secret gets its own mode */
	if (unlinkat(folder_fd, document->file, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "write %s", document->file);
	fd = openat(folder_fd, document->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    document->is_secret ? 0600 : 0666);
	if (fd < 0 || file_write_all(fd, text, len) < 0)
		return err_sys(err, errno, "write %s", document->file);
	return 0;
}

static int write_folder(struct cli *cli, const char *path, const struct export_result *result,
			struct err *err)
{
	AUTO(fd) int folder_fd = -1;

	if (file_make_dirs(AT_FDCWD, path, 0777, err) < 0)
		return -1;
	folder_fd = file_open_dir(AT_FDCWD, path, false, err);
	if (folder_fd < 0)
		return -1;
	for (size_t i = 0; i < result->document_count; i++)
		if (write_document(cli, folder_fd, &result->documents[i], err) < 0)
			return err_wrap(err, "%s", path);
	return 0;
}

static void print_yaml(struct cli *cli, const struct export_result *result)
{
	for (size_t i = 0; i < result->document_count; i++)
		if (result->documents[i].object)
			printf("%s%s", result->document_count > 1 ? "---\n" : "",
			       export_yaml(cli->arena, result->documents[i].object));
}

/* ---- the report ---- */

static bool is_shown(const struct options *options, enum export_verdict verdict)
{
	const char *which = options_text(options, "report");

	return strcmp(which, "all") == 0 ||
	       (strcmp(which, "differences") == 0 && verdict != EXPORT_EXACT);
}

static void print_report(const struct options *options, const struct export_result *result)
{
	AUTO(table) struct table *table = table_new(TABLE_MIN_WIDTH);
	size_t shown = 0;

	if (strcmp(options_text(options, "report"), "none") == 0)
		return;
	table_row(table, (const char *const[]){ "VERDICT", "KEY", "WHAT BECOMES OF IT", NULL });
	for (size_t i = 0; i < result->line_count; i++) {
		const struct export_line *line = &result->lines[i];

		if (!is_shown(options, line->verdict))
			continue;
		table_row(table, (const char *const[]){ export_verdict_name(line->verdict),
							line->path, line->note, NULL });
		shown++;
	}
	if (shown)
		table_print(table, stderr);
	fprintf(stderr, "%zu keys: %zu exact, %zu approximated, %zu dropped, %zu refused\n",
		result->line_count, result->counts[EXPORT_EXACT],
		result->counts[EXPORT_APPROXIMATED], result->counts[EXPORT_DROPPED],
		result->counts[EXPORT_REFUSED]);
}

static void print_json(const struct export_result *result, bool has_documents)
{
	AUTO(json) struct json_object *whole = json_object_new_object();
	struct json_object *documents = has_documents ? json_add_object(whole, "documents") : NULL;
	struct json_object *counts, *report;

	for (size_t i = 0; documents && i < result->document_count; i++)
		json_object_object_add(documents, result->documents[i].file,
				       json_object_get(result->documents[i].object));
	counts = json_add_object(whole, "counts");
	for (int i = 0; i < EXPORT_VERDICT_COUNT; i++)
		json_add_int(counts, export_verdict_name((enum export_verdict)i),
			     (int64_t)result->counts[i]);
	report = json_add_array(whole, "report");
	for (size_t i = 0; i < result->line_count; i++) {
		struct json_object *line = json_object_new_object();

		json_add_text(line, "verdict", export_verdict_name(result->lines[i].verdict));
		json_add_text(line, "key", result->lines[i].path);
		json_add_text(line, "note", result->lines[i].note);
		json_object_array_add(report, line);
	}
	output_json_pretty(stdout, whole);
}

/* ---- the commands ---- */

typedef void translate(struct arena *arena, const struct project *project,
		       const struct export_options *options, struct export_result *out);

static int put_out(struct cli *cli, const struct options *options,
		   const struct export_result *result, struct err *err)
{
	const char *folder = options_text(options, "output");
	bool is_json = strcmp(options_text(options, "format"), "json") == 0;
	bool is_strict = options_flag(options, "strict");
	bool is_held =
		is_strict && (result->counts[EXPORT_DROPPED] || result->counts[EXPORT_REFUSED]);
	bool is_written = !is_held && !cli->dry_run;

	if (is_written && folder && write_folder(cli, folder, result, err) < 0)
		return -1;
	if (is_json)
		print_json(result, is_written && !folder);
	else if (is_written && !folder)
		print_yaml(cli, result);
	fflush(stdout);
	if (!is_json)
		print_report(options, result);
	if (is_held)
		return err_set(err, ERR_UNSUPPORTED,
			       "--strict: %zu keys would be dropped, %zu are refused: nothing was "
			       "written",
			       result->counts[EXPORT_DROPPED], result->counts[EXPORT_REFUSED]);
	if (result->counts[EXPORT_REFUSED])
		return err_set(err, ERR_UNSUPPORTED, "services that are refused have no documents");
	return 0;
}

static int export_by(struct cli *cli, const struct options *options, translate *translation,
		     struct export_options *export, struct err *err)
{
	struct export_result result = { 0 };
	struct load_result loaded;
	int status;

	export->with_secrets = options_flag(options, "with-secrets");
	export->has_folder = options_text(options, "output") != NULL;
	export->read = read_path;
	export->ctx = cli->arena;
	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0)
		return -1;
	translation(cli->arena, loaded.project, export, &result);
	status = put_out(cli, options, &result, err);
	export_result_free(&result);
	return status;
}

/* A number with a unit, as a claim wants it. */
static bool is_quantity(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	return digits > 0 && text[0] != '0' &&
	       (!*unit || (strchr("kMGTPE", unit[0]) && !unit[1]) ||
		(strchr("KMGTPE", unit[0]) && unit[1] == 'i' && !unit[2]));
}

static bool is_name(const char *text)
{
	static const char *const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t len = strlen(text);

	return len > 0 && len <= 63 && strspn(text, alphabet) == len && !strchr("-.", text[0]) &&
	       !strchr("-.", text[len - 1]);
}

static int check_names(const struct options *options, struct err *err)
{
	static const char *const names[] = { "namespace", "storage-class" };
	const char *size = options_text(options, "volume-size");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *name = options_text(options, names[i]);

		if (name && !is_name(name))
			return err_set(err, ERR_INVALID,
				       "--%s: \"%.60s\": lower case letters, digits, - and .",
				       names[i], name);
	}
	if (!is_quantity(size))
		return err_set(err, ERR_INVALID,
			       "--volume-size: \"%.60s\": a number with Mi, Gi or Ti", size);
	return 0;
}

static int kubernetes_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const struct {
		const char *word;
		enum export_publish publish;
	} ways[] = {
		{"load-balancer", EXPORT_LOAD_BALANCER},
		{ "node-port",    EXPORT_NODE_PORT    },
		{ "none",         EXPORT_NO_PUBLISH   },
	};
	struct export_options export = {
		.namespace_name = options_text(options, "namespace"),
		.storage_class = options_text(options, "storage-class"),
		.volume_size = options_text(options, "volume-size"),
		.wait_image = options_text(options, "wait-image"),
	};

	if (check_names(options, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].word, options_text(options, "publish")) == 0)
			export.publish = ways[i].publish;
	return export_by(cli, options, export_kubernetes, &export, err);
}

static int swarm_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct export_options export = { 0 };

	return export_by(cli, options, export_swarm, &export, err);
}
