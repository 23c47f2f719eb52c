/* specs/export/export - a project as documents for other orchestrators, and a report by key.
 *
 *	struct export_options options = { .read = read_file, .ctx = ... };
 *	struct export_result result;
 *	export_kubernetes(arena, project, &options, &result);       or export_swarm
 *	export_yaml(arena, result.documents[i].object)              text of one document
 *	export_result_free(&result);
 *
 * A pure function of the model and of what `read` answers: the same model gives the same bytes.
 *Texts live in the arena, JSON values in the result. Never fails: what the target cannot do stands
 *in the report. Sources: Kubernetes API reference (apps/v1, batch/v1, core/v1,
 *networking.k8s.io/v1), 1.26 and later; Compose file format 3.13 as `docker stack deploy` of docker
 *28 takes it.
 */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"
#include "specs/model.h"

enum export_verdict {
	EXPORT_EXACT,        /* means the same there */
	EXPORT_APPROXIMATED, /* the nearest thing; the note says what differs */
	EXPORT_DROPPED,      /* is not in the documents */
	EXPORT_REFUSED,      /* without it the service would be another one: it has no documents */
	EXPORT_VERDICT_COUNT
};
/* "exact", "approximated" ... */
const char *export_verdict_name(enum export_verdict verdict);

struct export_line {
	enum export_verdict verdict;
	const char *path; /* "services.web.ports[0]" */
	const char *note; /* what it becomes, or why not; never NULL */
};

struct export_document {
	const char *file;           /* name for a folder of documents: "web-deployment.yaml",
				       "configs/web.conf" */
	struct json_object *object; /* NULL: a plain file, which is text */
	const char *text;           /* plain files alone */
	size_t text_len;
	bool is_secret; /* holds the value of a secret */
};

struct export_result {
	struct export_document *documents; /* in the order in which they should be applied */
	size_t document_count;
	struct export_line *lines; /* in the order of the resolved file */
	size_t line_count;
	size_t counts[EXPORT_VERDICT_COUNT];
};

enum export_file { EXPORT_FILE_MISSING, EXPORT_FILE_PLAIN, EXPORT_FILE_FOLDER, EXPORT_FILE_OTHER };

enum export_publish { EXPORT_LOAD_BALANCER, EXPORT_NODE_PORT, EXPORT_NO_PUBLISH };

struct export_options {
	const char *namespace_name; /* NULL: none is written */
	const char *storage_class;  /* NULL: the cluster's default */
	const char *volume_size;    /* NULL: 1Gi */
	const char *wait_image; /* with sh, nc and nslookup: init containers wait for depends_on;
				   NULL: none */
	enum export_publish publish;
	bool has_folder;   /* documents go to a folder: plain files can stand beside them */
	bool with_secrets; /* values of secrets go into the documents */
	/* What lies at a path of the caller's machine; the text only when it is a plain file of at
	 * most max bytes (else *out_text is NULL), in memory that outlives the result. NULL:
	 * everything is missing. */
	enum export_file (*read)(void *ctx, const char *path, size_t max, const char **out_text,
				 size_t *out_len);
	void *ctx;
};

void export_kubernetes(struct arena *arena, const struct project *project,
		       const struct export_options *options, struct export_result *out);
void export_swarm(struct arena *arena, const struct project *project,
		  const struct export_options *options, struct export_result *out);
void export_result_free(struct export_result *result);

/* One document as YAML, without "---". In the arena. */
const char *export_yaml(struct arena *arena, struct json_object *object);
