/* runtime/seccomp - a profile as a filter program.
 *
 * Owns: libseccomp, the cache of programs, the listener's message. May not touch: when it is loaded
 * (init).
 */
#include "runtime/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "runtime/features.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

/* clang-format off */
static const struct { const char *name; unsigned bit; } flag_names[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* there is one thread */
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};
static const struct { const char *name; const char *lib; } arch_names[] = {
	{ "SCMP_ARCH_NATIVE", "native" },   { "SCMP_ARCH_X86", "x86" },
	{ "SCMP_ARCH_X86_64", "x86_64" },   { "SCMP_ARCH_X32", "x32" },
	{ "SCMP_ARCH_ARM", "arm" },         { "SCMP_ARCH_AARCH64", "aarch64" },
	{ "SCMP_ARCH_MIPS", "mips" },       { "SCMP_ARCH_MIPS64", "mips64" },
	{ "SCMP_ARCH_MIPS64N32", "mips64n32" }, { "SCMP_ARCH_MIPSEL", "mipsel" },
	{ "SCMP_ARCH_MIPSEL64", "mipsel64" }, { "SCMP_ARCH_MIPSEL64N32", "mipsel64n32" },
	{ "SCMP_ARCH_PPC", "ppc" },         { "SCMP_ARCH_PPC64", "ppc64" },
	{ "SCMP_ARCH_PPC64LE", "ppc64le" }, { "SCMP_ARCH_S390", "s390" },
	{ "SCMP_ARCH_S390X", "s390x" },     { "SCMP_ARCH_PARISC", "parisc" },
	{ "SCMP_ARCH_PARISC64", "parisc64" }, { "SCMP_ARCH_RISCV64", "riscv64" },
};
/* clang-format on */

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

struct filter {
	scmp_filter_ctx ctx;
};

static void filter_close(struct filter *filter)
{
	if (filter->ctx)
		seccomp_release(filter->ctx);
	free(filter);
}
AUTO_TYPE(filter, filter_close);

static int add_archs(scmp_filter_ctx ctx, const struct config_seccomp *config, struct err *err)
{
	for (size_t i = 0; i < config->architectures.count; i++) {
		const char *name = config->architectures.at[i], *lib = NULL;
		uint32_t token;
		int status;

		for (size_t j = 0; j < LEN(arch_names) && !lib; j++)
			if (strcmp(name, arch_names[j].name) == 0)
				lib = arch_names[j].lib;
		if (!lib)
			return err_set(err, ERR_INVALID,
				       "linux.seccomp.architectures[%zu]: unknown value \"%.40s\"",
				       i, name);
		token = seccomp_arch_resolve_name(lib);
		status = token ? seccomp_arch_add(ctx, token) : -EINVAL;
		if (status < 0 && status != -EEXIST && status != -EINVAL)
			return err_sys(err, -status, "linux.seccomp.architectures[%zu]", i);
	}
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct config_syscall *call, int number,
		    struct err *err)
{
	struct scmp_arg_cmp args[6];
	unsigned uses[6] = { 0 };
	size_t count = call->arg_count < 6 ? call->arg_count : 6;
	bool repeats = false;
	int status = 0;

	for (size_t i = 0; i < count; i++) {
		const struct config_syscall_arg *arg = &call->args[i];

		args[i] = (struct scmp_arg_cmp){ arg->index, (enum scmp_compare)arg->op, arg->value,
						 arg->value_two };
		repeats |= ++uses[arg->index] > 1;
	}
	if (!repeats)
		status = seccomp_rule_add_array(ctx, call->action, number, (unsigned)count, args);
	else /* the library takes one comparison per argument: then any of them is enough */
		for (size_t i = 0; i < count && status >= 0; i++)
			status = seccomp_rule_add_array(ctx, call->action, number, 1, &args[i]);
	if (status < 0 && status != -EEXIST && status != -EDOM)
		return err_sys(err, -status, "linux.seccomp: rule for system call %d", number);
	return 0;
}

static int add_rules(scmp_filter_ctx ctx, const struct config_seccomp *config, struct err *err)
{
	for (size_t i = 0; i < config->syscall_count; i++) {
		const struct config_syscall *call = &config->syscalls[i];

		if (call->action == config->default_action)
			continue;
		for (size_t j = 0; j < call->names.count; j++) {
			int number = seccomp_syscall_resolve_name(call->names.at[j]);

			if (number != __NR_SCMP_ERROR && add_rule(ctx, call, number, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* The compiled program as the library writes it to a file. */
static int export_program(scmp_filter_ctx ctx, struct seccomp_program *out, struct err *err)
{
	AUTO(fd) int fd = memfd_create("seccomp", MFD_CLOEXEC);
	AUTO(free) char *bytes = NULL;
	size_t len;
	int status;

	if (fd < 0)
		return err_sys(err, errno, "memfd_create");
	status = seccomp_export_bpf(ctx, fd);
	if (status < 0)
		return err_sys(err, -status, "compile the seccomp profile");
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    file_read_fd(fd, "seccomp program", 1u << 20, &bytes, &len, err) < 0)
		return -1;
	out->count = len / sizeof(struct sock_filter);
	out->at = (struct sock_filter *)TAKE(bytes);
	return 0;
}

/* A call newer than what the profile's author could know should look absent and not forbidden:
 * above the highest number that the profile names, ENOSYS in place of a default EPERM. Prepended
 * for the native architecture; [0] loads arch, [1] compares, [2] loads nr, ... */
static void prepend_enosys(struct seccomp_program *program, const struct config_seccomp *config)
{
	long highest = -1;
	uint32_t arch = 0xc000003e; /* AUDIT_ARCH_X86_64 */
	struct sock_filter *grown;

#ifndef __x86_64__
	return;
#endif
	if (config->default_action != SCMP_ACT_ERRNO(EPERM) || config->default_errno >= 0)
		return;
	for (size_t i = 0; i < config->syscall_count; i++)
		for (size_t j = 0; j < config->syscalls[i].names.count; j++) {
			int n = seccomp_syscall_resolve_name(config->syscalls[i].names.at[j]);

			if (n > highest)
				highest = n;
		}
	if (highest < 0)
		return;
	grown = xcalloc(program->count + 7, sizeof(*grown));
	grown[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4);
	grown[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 4);
	grown[2] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	grown[3] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 2, 0);
	grown[4] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)highest, 0, 1);
	grown[5] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	memcpy(grown + 6, program->at, program->count * sizeof(*grown));
	free(program->at);
	program->at = grown;
	program->count += 6;
}

static int read_flags(const struct config_seccomp *config, unsigned *out, struct err *err)
{
	*out = config->notifies ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	if (!config->flags
		     .at) /* what engines count on: no slower speculation because of a filter */
		*out |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	for (size_t i = 0; i < config->flags.count; i++) {
		size_t j = 0;

		while (j < LEN(flag_names) && strcmp(flag_names[j].name, config->flags.at[i]) != 0)
			j++;
		if (j == LEN(flag_names))
			return err_set(err, ERR_INVALID,
				       "linux.seccomp.flags[%zu]: unknown value "
				       "\"%.60s\"",
				       i, config->flags.at[i]);
		*out |= flag_names[j].bit;
	}
	return 0;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

/* A name for the profile: two independent 64-bit hashes of all that goes into the program. */
static void cache_name(const struct config_seccomp *config, char *out, size_t size)
{
	const struct scmp_version *version = seccomp_version();
	uint64_t hash[2] = { 0xcbf29ce484222325ull, 0x9e3779b97f4a7c15ull };

	for (int h = 0; h < 2; h++) {
		hash[h] = hash_bytes(hash[h], version, sizeof(*version));
		hash[h] = hash_bytes(hash[h], &config->default_action, 4);
		hash[h] = hash_bytes(hash[h], &config->default_errno, 8);
		for (size_t i = 0; i < config->architectures.count; i++)
			hash[h] = hash_bytes(hash[h], config->architectures.at[i],
					     strlen(config->architectures.at[i]) + 1);
		for (size_t i = 0; i < config->syscall_count; i++) {
			const struct config_syscall *call = &config->syscalls[i];

			hash[h] = hash_bytes(hash[h], &call->action, 4);
			hash[h] = hash_bytes(hash[h], call->args,
					     call->arg_count * sizeof(*call->args));
			for (size_t j = 0; j < call->names.count; j++)
				hash[h] = hash_bytes(hash[h], call->names.at[j],
						     strlen(call->names.at[j]) + 1);
		}
		hash[h] = hash_bytes(hash[h], "end", 3);
	}
	snprintf(out, size, "%016llx%016llx.bpf", (unsigned long long)hash[0],
		 (unsigned long long)hash[1]);
}

static bool cache_get(int dir_fd, const char *name, struct seccomp_program *out)
{
	struct err ignored = ERR_NONE;
	char *bytes = NULL;
	size_t len = 0;

	if (dir_fd < 0 || file_read(dir_fd, name, 1u << 20, &bytes, &len, &ignored) < 0)
		return false;
	if (!len || len % sizeof(struct sock_filter)) {
		free(bytes);
		return false;
	}
	out->at = (struct sock_filter *)(void *)bytes;
	out->count = len / sizeof(struct sock_filter);
	return true;
}

int filter_compile(const struct config_seccomp *config, int cache_dir_fd,
		   struct seccomp_program *out, struct err *err)
{
	AUTO(filter) struct filter *filter = xcalloc(1, sizeof(*filter));
	struct err ignored = ERR_NONE;
	char name[64];

	*out = (struct seccomp_program){ 0 };
	if (read_flags(config, &out->flags, err) < 0)
		return -1;
	cache_name(config, name, sizeof(name));
	if (cache_get(cache_dir_fd, name, out))
		return 0;
	filter->ctx = seccomp_init(config->default_action);
	if (!filter->ctx)
		return err_set(err, ERR_INVALID,
			       "linux.seccomp.defaultAction: the library refuses it");
	seccomp_attr_set(filter->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(filter->ctx, SCMP_FLTATR_CTL_NNP, 0);
	if (add_archs(filter->ctx, config, err) < 0 || add_rules(filter->ctx, config, err) < 0 ||
	    export_program(filter->ctx, out, err) < 0)
		return -1;
	prepend_enosys(out, config);
	if (cache_dir_fd >= 0)
		file_replace(cache_dir_fd, name, (const char *)out->at,
			     out->count * sizeof(*out->at), &ignored);
	return 0;
}

int filter_load(const struct seccomp_program *program, struct err *err)
{
	struct sock_fprog prog = { .len = (unsigned short)program->count, .filter = program->at };
	long status;

	status = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags, &prog);
	if (status < 0)
		return err_sys(err, errno, "load the seccomp filter");
	return program->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? (int)status : 0;
}

int filter_send_listener(const char *path, const char *metadata, int listener_fd, pid_t pid,
			 struct json_object *state, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *text;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID, "linux.seccomp.listenerPath: is too long");
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(
			err, errno,
			"linux.seccomp.listenerPath: failed to connect with seccomp agent %s",
			path);
	json_add_text(json, "ociVersion", OCI_VERSION);
	json_push_text(json_add_array(json, "fds"), "seccompFd");
	json_add_int(json, "pid", pid);
	json_add_text(json, "metadata", metadata ? metadata : "");
	json_object_object_add(json, "state", json_object_get(state));
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	return message_send_text(fd, text, strlen(text), &listener_fd, 1, err);
}
