/* specs/export/kube - what the rooms of the Kubernetes export share: the units and the documents so
 * far.
 *
 * A unit is a service with its controller. The rooms: kubernetes (walk, controllers), kube_pod (one
 * pod), kube_security, kube_probe, kube_mount (volumes of a pod), kube_claim
 * (claims), kube_files (ConfigMaps, Secrets), kube_network (Services), kube_policy, kube_place
 * (names, nodes), kube_schedule. One thread.
 */
#pragma once
#include "specs/export/names.h"
#include "specs/export/report.h"

#define KUBE_NAME_LABEL    "app.kubernetes.io/name"
#define KUBE_PROJECT_LABEL "app.kubernetes.io/part-of"
#define KUBE_NETWORK_LABEL "stack.network/"

enum unit_kind {
	UNIT_DEPLOYMENT,
	UNIT_STATEFUL_SET,
	UNIT_DAEMON_SET,
	UNIT_JOB,
	UNIT_CRON_JOB,
	UNIT_KIND_COUNT
};

struct unit {
	const struct service *service;
	const char *path; /* "services.web", for the report */
	const char *name;
	enum unit_kind kind;
	bool is_refused;
};

struct kube {
	struct arena *arena;
	const struct project *project;
	const struct export_options *options;
	struct report *report;
	struct name_book *names;
	struct export_result *result;
	struct unit *units;
	size_t unit_count;
};

/* A pod while it is made. */
struct pod {
	struct kube *kube;
	struct unit *unit;
	struct json_object *spec;      /* the pod's */
	struct json_object *container; /* in it */
	struct json_object *volumes, *mounts;
	struct json_object *claims; /* claim templates of a stateful set */
};

/* Says what became of services.NAME.KEY. */
#define unit_say(kube, unit, verdict, key, ...)                                                    \
	report_say((kube)->report, (verdict),                                                      \
		   arena_format((kube)->arena, "%s.%s", (unit)->path, (key)), __VA_ARGS__)

#define unit_say_part(kube, unit, verdict, key, ...)                                               \
	report_say_part((kube)->report, (verdict),                                                 \
			arena_format((kube)->arena, "%s.%s", (unit)->path, (key)), __VA_ARGS__)

/* A new document with metadata, of a unit or (NULL) of the project; borrowed, in the result. */
struct json_object *kube_document(struct kube *kube, const char *version, const char *kind,
				  const char *name, const struct unit *unit);
/* Adds the labels that choose the pods of a unit. */
void kube_add_selector(struct kube *kube, const struct unit *unit, struct json_object *labels);
struct unit *kube_find_unit(const struct kube *kube, const char *service);
/* A text in which a cluster does not look for $(VARIABLE): command, args, env, exec of probes. */
const char *kube_escape(struct arena *arena, const char *text);
/* "1Gi", "512Mi", "1000". */
const char *kube_bytes(struct arena *arena, int64_t bytes);
/* Whole seconds of a duration, rounded up, at least `least`; a fraction is told of the key. */
int64_t kube_seconds(struct kube *kube, const struct unit *unit, const char *key, int64_t us,
		     int64_t least);
/* Pairs as an annotations member of metadata; those that are none there are told as dropped. */
void kube_add_annotations(struct kube *kube, const struct unit *unit, const char *key,
			  const struct pairs *pairs, struct json_object *metadata);

/* The controller of a unit, of this kind (kube_controller). */
void kube_controller(struct kube *kube, struct unit *unit, const char *kind);
/* The pod template's spec and metadata of a unit, restartPolicy included; claim templates into
 * claims (NULL: not a stateful set). */
void kube_pod(struct kube *kube, struct unit *unit, struct json_object *pod_template,
	      struct json_object *claims);
void kube_security(struct pod *pod);
void kube_resources(struct pod *pod);
void kube_probes(struct pod *pod);
void kube_place(struct pod *pod);
void kube_mounts(struct pod *pod);

/* Volumes of the project: who uses them decides on the controller. */
bool kube_volume_is_own(const struct kube *kube, const struct service *service, const char *key);
bool kube_has_own_volume(const struct kube *kube, const struct service *service);
/* ConfigMaps, Secrets and shared claims of the project. */
void kube_files(struct kube *kube);
/* A ConfigMap of one file of the machine: its name, or NULL when it cannot be one. */
const char *kube_file_map(struct kube *kube, const struct unit *unit, const char *path,
			  const char *text, size_t len);
/* The claim of a volume of the project (kube_claim); no document for those that need none. */
void kube_claim(struct kube *kube, const struct volume *volume);
const char *kube_claim_name(struct kube *kube, const struct volume *volume);

/* Services of a unit, and the policies of all networks. */
void kube_services(struct kube *kube, struct unit *unit);
void kube_policies(struct kube *kube);
/* "TCP", "UDP" or "SCTP"; and "tcp-80", a port's name. */
const char *kube_protocol(const char *protocol);
const char *kube_port_name(struct arena *arena, const char *protocol, unsigned port);
/* Whether somebody outside may reach it. */
bool kube_port_is_open(const struct kube *kube, const struct port *port);
/* The TCP port to wait for; 0: none is known. */
unsigned kube_known_port(const struct service *service);
/* The label of a network (kube_policy). */
const char *kube_network_label(struct kube *kube, const char *key);

/* The schedule as a cluster reads it. */
const char *kube_schedule(struct kube *kube, const struct unit *unit);
