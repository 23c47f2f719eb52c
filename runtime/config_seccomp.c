/* runtime/config_seccomp - linux.seccomp of config.json.
 *
 * Owns: names of actions and operators. May not touch: filters (runtime/seccomp).
 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "runtime/config_linux.h"

/* clang-format off */
const struct word config_seccomp_actions[] = {
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },    { "SCMP_ACT_KILL_PROCESS", (long)SCMP_ACT_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD }, { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },      { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },         { "SCMP_ACT_LOG", SCMP_ACT_LOG },
	{ "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY },       { 0 },
};
const struct word config_seccomp_operators[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ }, { 0 },
};
/* clang-format on */

static int decode_action(struct reader *reader, struct json_object *value, const struct place *at,
			 void *target)
{
	long action = 0;

	if (decode_word(reader, value, at, config_seccomp_actions, &action) < 0)
		return -1;
	*(uint32_t *)target = (uint32_t)action;
	return 0;
}

static int decode_operator(struct reader *reader, struct json_object *value, const struct place *at,
			   void *target)
{
	long op = 0;

	if (decode_word(reader, value, at, config_seccomp_operators, &op) < 0)
		return -1;
	*(unsigned *)target = (unsigned)op;
	return 0;
}

#define ARG(member) .offset = offsetof(struct config_syscall_arg, member)

/* clang-format off */
static const struct field arg_fields[] = {
	{ .key = "index", .kind = FIELD_U32, ARG(index), .required = true },
	{ .key = "value", .kind = FIELD_U64, ARG(value), .required = true },
	{ .key = "valueTwo", .kind = FIELD_U64, ARG(value_two) },
	{ .key = "op",.kind = FIELD_CUSTOM, ARG(op), .custom = decode_operator, .required = true },
	{ 0 },
};
/* clang-format on */

struct syscall_row {
	struct config_syscall call;
	struct config_int errno_ret;
};

#define ROW(member) .offset = offsetof(struct syscall_row, member)

/* clang-format off */
static const struct field syscall_fields[] = {
	{ .key = "names", .kind = FIELD_TEXTS, ROW(call.names), .required = true },
	{ .key = "action", .kind = FIELD_CUSTOM, ROW(call.action), .custom = decode_action,
	  .required = true },
	{ .key = "errnoRet", .kind = FIELD_UINT, ROW(errno_ret) },
	{ .key = "args", .kind = FIELD_OBJECTS, ROW(call.args), .sub = arg_fields,
	  .item_size = sizeof(struct config_syscall_arg) },
	{ 0 },
};
/* clang-format on */

/* ERRNO and TRACE carry a number in their low 16 bits; EPERM when none is given. */
static uint32_t with_errno(uint32_t action, const struct config_int *errno_ret)
{
	uint32_t number = errno_ret->set ? (uint32_t)errno_ret->value & 0xffffu : EPERM;

	if (action == SCMP_ACT_ERRNO(0))
		return SCMP_ACT_ERRNO(number);
	if (action == SCMP_ACT_TRACE(0))
		return SCMP_ACT_TRACE(number);
	return action;
}

static int decode_syscalls(struct reader *reader, struct json_object *value, const struct place *at,
			   void *target)
{
	struct config_seccomp *seccomp = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	count = json_object_array_length(value);
	seccomp->syscalls = arena_alloc(reader->arena, (count + 1) * sizeof(*seccomp->syscalls));
	seccomp->syscall_count = count;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		struct syscall_row row = { 0 };

		if (decode_object(reader, json_object_array_get_idx(value, i), &item,
				  syscall_fields, &row) < 0)
			return -1;
		if (!row.call.names.count)
			return decode_fail(reader, &item, "names must not be empty");
		if (row.errno_ret.set && row.call.action != SCMP_ACT_ERRNO(0) &&
		    row.call.action != SCMP_ACT_TRACE(0))
			return decode_fail(reader, &item,
					   "errnoRet fits SCMP_ACT_ERRNO and "
					   "SCMP_ACT_TRACE only");
		row.call.action = with_errno(row.call.action, &row.errno_ret);
		seccomp->notifies |= row.call.action == SCMP_ACT_NOTIFY;
		seccomp->syscalls[i] = row.call;
	}
	return 0;
}

static int decode_default(struct reader *reader, struct json_object *value, const struct place *at,
			  void *target)
{
	struct config_seccomp *seccomp = target;

	struct config_int none = { false, 0 };

	seccomp->set = true;
	if (decode_action(reader, value, at, &seccomp->default_action) < 0)
		return -1;
	seccomp->default_action = with_errno(seccomp->default_action, &none);
	return 0;
}

static int decode_default_errno(struct reader *reader, struct json_object *value,
				const struct place *at, void *target)
{
	struct config_seccomp *seccomp = target;
	struct config_int number = { true, json_object_get_int64(value) };

	if (!json_object_is_type(value, json_type_int) || number.value < 0)
		return decode_fail(reader, at, "must be a number");
	seccomp->default_errno = number.value;
	seccomp->default_action = with_errno(seccomp->default_action & 0xffff0000u, &number);
	return 0;
}

#define SECCOMP(member) .offset = offsetof(struct config_seccomp, member)

/* clang-format off */
const struct field config_seccomp_fields[] = {
	{ .key = "defaultAction", .kind = FIELD_CUSTOM, .custom = decode_default,
	  .required = true },
	{ .key = "defaultErrnoRet", .kind = FIELD_CUSTOM, .custom = decode_default_errno },
	{ .key = "architectures", .kind = FIELD_TEXTS, SECCOMP(architectures) },
	{ .key = "flags", .kind = FIELD_TEXTS, SECCOMP(flags) },
	{ .key = "listenerPath", .kind = FIELD_TEXT, SECCOMP(listener_path) },
	{ .key = "listenerMetadata",.kind = FIELD_TEXT, SECCOMP(listener_metadata) },
	{ .key = "syscalls", .kind = FIELD_CUSTOM, .custom = decode_syscalls },
	{ 0 },
};
/* clang-format on */

#define BAD(...) err_set(err, ERR_INVALID, "config.json: linux.seccomp." __VA_ARGS__)

static int check_notify(const struct config_seccomp *seccomp, struct err *err)
{
	if (seccomp->default_action == SCMP_ACT_NOTIFY)
		return BAD("defaultAction: SCMP_ACT_NOTIFY cannot be the default: init itself "
			   "would wait for the listener");
	for (size_t i = 0; i < seccomp->syscall_count; i++) {
		const struct config_syscall *call = &seccomp->syscalls[i];

		if (call->action != SCMP_ACT_NOTIFY)
			continue;
		for (size_t j = 0; j < call->names.count; j++)
			if (strcmp(call->names.at[j], "write") == 0 ||
			    strcmp(call->names.at[j], "sendmsg") == 0)
				return BAD("syscalls[%zu]: SCMP_ACT_NOTIFY cannot be used for the "
					   "%s syscall",
					   i, call->names.at[j]);
	}
	return 0;
}

int config_check_seccomp(const struct config_seccomp *seccomp, struct err *err)
{
	if (!seccomp->set)
		return 0;
	for (size_t i = 0; i < seccomp->syscall_count; i++)
		for (size_t j = 0; j < seccomp->syscalls[i].arg_count; j++)
			if (seccomp->syscalls[i].args[j].index > 5)
				return BAD("syscalls[%zu].args[%zu].index: must be 0..5", i, j);
	if (seccomp->listener_metadata && seccomp->listener_metadata[0] && !seccomp->listener_path)
		return BAD("listenerMetadata: needs listenerPath");
	if (seccomp->notifies && !seccomp->listener_path)
		return BAD("listenerPath: is needed by SCMP_ACT_NOTIFY");
	return check_notify(seccomp, err);
}
