/* runtime/config_process - the `process` object of config.json.
 *
 * Owns: rlimits, capabilities, scheduler and their names. May not touch: the system.
 */
#include "runtime/config_process.h"

#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/capability.h"

/* clang-format off */
static const struct word rlimit_words[] = {
	{ "RLIMIT_AS", RLIMIT_AS },           { "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },         { "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },     { "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },       { "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },     { "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },   { "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING }, { "RLIMIT_STACK", RLIMIT_STACK }, { 0 },
};
static const struct word policy_words[] = {
	{ "SCHED_OTHER", SCHED_NORMAL }, { "SCHED_FIFO", SCHED_FIFO }, { "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },  { "SCHED_ISO", 4 },           { "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE }, { 0 },
};
static const struct word policy_flag_words[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX }, { 0 },
};
static const struct word io_class_words[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT }, { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE }, { 0 },
};
/* clang-format on */

static int decode_rlimit_type(struct reader *reader, struct json_object *value,
			      const struct place *at, void *target)
{
	struct config_rlimit *limit = target;
	long resource = 0;

	if (decode_word(reader, value, at, rlimit_words, &resource) < 0)
		return -1;
	limit->resource = (int)resource;
	limit->name = decode_text(reader, value, at);
	return 0;
}

/* clang-format off */
static const struct field rlimit_fields[] = {
	{ .key = "type", .kind = FIELD_CUSTOM, .custom = decode_rlimit_type, .required = true },
	{ .key = "soft", .kind = FIELD_U64, .offset = offsetof(struct config_rlimit, soft),
	  .required = true },
	{ .key = "hard", .kind = FIELD_U64, .offset = offsetof(struct config_rlimit, hard),
	  .required = true },
	{ 0 },
};
/* clang-format on */

struct cap_lists {
	struct config_texts bounding, effective, inheritable, permitted, ambient;
};

/* clang-format off */
static const struct field cap_fields[] = {
	{ .key = "bounding", .kind = FIELD_TEXTS, .offset = offsetof(struct cap_lists, bounding) },
	{ .key = "effective", .kind = FIELD_TEXTS,
	  .offset = offsetof(struct cap_lists, effective) },
	{ .key = "inheritable", .kind = FIELD_TEXTS,
	  .offset = offsetof(struct cap_lists, inheritable) },
	{ .key = "permitted", .kind = FIELD_TEXTS,
	  .offset = offsetof(struct cap_lists, permitted) },
	{ .key = "ambient", .kind = FIELD_TEXTS, .offset = offsetof(struct cap_lists, ambient) },
	{ 0 },
};
/* clang-format on */

static uint64_t cap_bits(struct reader *reader, const struct config_texts *names,
			 struct config_texts *unknown)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < names->count; i++) {
		int number = capability_number(names->at[i]);

		if (number >= 0)
			bits |= 1ull << number;
		else
			*(const char **)arena_grow(reader->arena, &unknown->at, &unknown->count,
						   sizeof(char *)) = names->at[i];
	}
	return bits;
}

static int decode_caps(struct reader *reader, struct json_object *value, const struct place *at,
		       void *target)
{
	struct config_process *process = target;
	struct config_caps *caps = &process->caps;
	struct cap_lists lists = { 0 };

	if (decode_object(reader, value, at, cap_fields, &lists) < 0)
		return -1;
	process->has_caps = true;
	caps->bounding = cap_bits(reader, &lists.bounding, &caps->unknown);
	caps->effective = cap_bits(reader, &lists.effective, &caps->unknown);
	caps->inheritable = cap_bits(reader, &lists.inheritable, &caps->unknown);
	caps->permitted = cap_bits(reader, &lists.permitted, &caps->unknown);
	caps->ambient = cap_bits(reader, &lists.ambient, &caps->unknown);
	return 0;
}

static int decode_gids(struct reader *reader, struct json_object *value, const struct place *at,
		       void *target)
{
	struct config_process *process = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list of numbers");
	count = json_object_array_length(value);
	process->additional_gids = arena_alloc(reader->arena, (count + 1) * sizeof(uint32_t));
	process->additional_gid_count = count;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct json_object *number = json_object_array_get_idx(value, i);
		int64_t gid = json_object_get_int64(number);

		if (!json_object_is_type(number, json_type_int) || gid < 0 || gid > UINT32_MAX)
			return decode_fail(reader, &item, "must be a number 0..%u", UINT32_MAX);
		process->additional_gids[i] = (uint32_t)gid;
	}
	return 0;
}

#define PROCESS(member) .offset = offsetof(struct config_process, member)

/* clang-format off */
static const struct field user_fields[] = {
	{ .key = "uid", .kind = FIELD_U32, PROCESS(uid) },
	{ .key = "gid", .kind = FIELD_U32, PROCESS(gid) },
	{ .key = "umask", .kind = FIELD_UINT, PROCESS(umask) },
	{ .key = "additionalGids", .kind = FIELD_CUSTOM, .custom = decode_gids },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field console_fields[] = {
	{ .key = "height", .kind = FIELD_U32, PROCESS(console_height) },
	{ .key = "width", .kind = FIELD_U32, PROCESS(console_width) },
	{ 0 },
};
/* clang-format on */

static int decode_policy(struct reader *reader, struct json_object *value, const struct place *at,
			 void *target)
{
	struct config_scheduler *scheduler = target;
	long policy = 0;

	if (decode_word(reader, value, at, policy_words, &policy) < 0)
		return -1;
	scheduler->set = true;
	scheduler->policy = (uint32_t)policy;
	return 0;
}

static int decode_policy_flags(struct reader *reader, struct json_object *value,
			       const struct place *at, void *target)
{
	struct config_scheduler *scheduler = target;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list of texts");
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct place item = { at, NULL, i };
		long bits = 0;

		if (decode_word(reader, json_object_array_get_idx(value, i), &item,
				policy_flag_words, &bits) < 0)
			return -1;
		scheduler->flags |= (uint64_t)bits;
	}
	return 0;
}

static int decode_nice(struct reader *reader, struct json_object *value, const struct place *at,
		       void *target)
{
	int64_t nice = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || nice < -20 || nice > 19)
		return decode_fail(reader, at, "must be a number -20..19");
	((struct config_scheduler *)target)->nice = (int32_t)nice;
	return 0;
}

#define SCHEDULER(member) .offset = offsetof(struct config_scheduler, member)

/* clang-format off */
static const struct field scheduler_fields[] = {
	{ .key = "policy", .kind = FIELD_CUSTOM, .custom = decode_policy, .required = true },
	{ .key = "flags", .kind = FIELD_CUSTOM, .custom = decode_policy_flags },
	{ .key = "nice", .kind = FIELD_CUSTOM, .custom = decode_nice },
	{ .key = "priority", .kind = FIELD_U32, SCHEDULER(priority) },
	{ .key = "runtime", .kind = FIELD_U64, SCHEDULER(runtime) },
	{ .key = "deadline",.kind = FIELD_U64, SCHEDULER(deadline) },
	{ .key = "period", .kind = FIELD_U64, SCHEDULER(period) },
	{ 0 },
};
/* clang-format on */

static int decode_io_class(struct reader *reader, struct json_object *value, const struct place *at,
			   void *target)
{
	long class = 0;

	if (decode_word(reader, value, at, io_class_words, &class) < 0)
		return -1;
	((struct config_process *)target)->io_class = (struct config_int){ true, class };
	return 0;
}

/* clang-format off */
static const struct field io_fields[] = {
	{ .key = "class", .kind = FIELD_CUSTOM, .custom = decode_io_class, .required = true },
	{ .key = "priority", .kind = FIELD_INT, PROCESS(io_priority) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field affinity_fields[] = {
	{ .key = "initial", .kind = FIELD_TEXT, PROCESS(cpu_affinity_initial) },
	{ .key = "final", .kind = FIELD_TEXT, PROCESS(cpu_affinity_final) },
	{ 0 },
};
/* clang-format on */

/* clang-format off */
static const struct field process_fields[] = {
	{ .key = "terminal", .kind = FIELD_BOOL, PROCESS(terminal) },
	{ .key = "consoleSize", .kind = FIELD_OBJECT, .sub = console_fields },
	{ .key = "user", .kind = FIELD_OBJECT, .sub = user_fields },
	{ .key = "args", .kind = FIELD_TEXTS, PROCESS(args) },
	{ .key = "env", .kind = FIELD_TEXTS, PROCESS(env) },
	{ .key = "cwd", .kind = FIELD_TEXT, PROCESS(cwd) },
	{ .key = "capabilities", .kind = FIELD_CUSTOM, .custom = decode_caps },
	{ .key = "rlimits", .kind = FIELD_OBJECTS, PROCESS(rlimits), .sub = rlimit_fields,
	  .item_size = sizeof(struct config_rlimit) },
	{ .key = "noNewPrivileges", .kind = FIELD_BOOL, PROCESS(no_new_privileges) },
	{ .key = "apparmorProfile", .kind = FIELD_TEXT, PROCESS(apparmor_profile) },
	{ .key = "selinuxLabel", .kind = FIELD_TEXT, PROCESS(selinux_label) },
	{ .key = "oomScoreAdj", .kind = FIELD_INT, PROCESS(oom_score_adj) },
	{ .key = "scheduler", .kind = FIELD_OBJECT, PROCESS(scheduler), .sub = scheduler_fields },
	{ .key = "ioPriority", .kind = FIELD_OBJECT, .sub = io_fields },
	{ .key = "execCPUAffinity", .kind = FIELD_OBJECT, .sub = affinity_fields },
	{ 0 },
};
/* clang-format on */

int config_decode_process(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target)
{
	struct config_process *process = arena_alloc(reader->arena, sizeof(*process));

	if (decode_object(reader, value, at, process_fields, process) < 0)
		return -1;
	if (process->apparmor_profile && !process->apparmor_profile[0])
		process->apparmor_profile = NULL;
	if (process->selinux_label && !process->selinux_label[0])
		process->selinux_label = NULL;
	memcpy(target, &process, sizeof(process));
	return 0;
}

#define BAD(...) err_set(err, ERR_INVALID, "config.json: " __VA_ARGS__)

static int check_scheduler(const struct config_scheduler *s, struct err *err)
{
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (!s->set)
		return 0;
	if (!realtime && s->priority)
		return BAD("process.scheduler.priority: only SCHED_FIFO and SCHED_RR have one");
	if (realtime && (s->priority < 1 || s->priority > 99))
		return BAD("process.scheduler.priority: must be 1..99 with this policy");
	if (s->policy != SCHED_DEADLINE && (s->runtime || s->deadline || s->period))
		return BAD("process.scheduler: runtime, deadline and period need SCHED_DEADLINE");
	return 0;
}

static int check_rlimits(const struct config_process *process, struct err *err)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct config_rlimit *limit = &process->rlimits[i];

		if (seen & 1u << limit->resource)
			return BAD("process.rlimits[%zu].type: %s is listed twice", i, limit->name);
		seen |= 1u << limit->resource;
		if (limit->soft > limit->hard)
			return BAD("process.rlimits[%zu].soft: %s: is above hard", i, limit->name);
	}
	return 0;
}

static int check_env(const struct config_process *process, struct err *err)
{
	for (size_t i = 0; i < process->env.count; i++) {
		const char *equals = strchr(process->env.at[i], '=');

		if (!equals || equals == process->env.at[i])
			return BAD("process.env[%zu]: must be NAME=VALUE", i);
	}
	return 0;
}

static int check_numbers(const struct config_process *process, struct err *err)
{
	if (process->oom_score_adj.set &&
	    (process->oom_score_adj.value < -1000 || process->oom_score_adj.value > 1000))
		return BAD("process.oomScoreAdj: must be -1000..1000");
	if (process->umask.set && process->umask.value > 0777)
		return BAD("process.user.umask: must be 0..511 (octal 777)");
	if (process->io_class.set && process->io_priority.set &&
	    (process->io_priority.value < 0 || process->io_priority.value > 7))
		return BAD("process.ioPriority.priority: must be 0..7");
	if (process->console_height > UINT16_MAX || process->console_width > UINT16_MAX)
		return BAD("process.consoleSize: is above 65535");
	return 0;
}

int config_check_process(const struct config_process *process, bool complete, struct err *err)
{
	if (process->cwd ? process->cwd[0] != '/' : complete)
		return BAD("process.cwd: must be an absolute path");
	if (complete && !process->args.count)
		return BAD("process.args: must not be empty");
	if (process->args.count && !process->args.at[0][0])
		return BAD("process.args[0]: must not be empty");
	if (check_env(process, err) < 0 || check_rlimits(process, err) < 0 ||
	    check_numbers(process, err) < 0)
		return -1;
	return check_scheduler(&process->scheduler, err);
}
