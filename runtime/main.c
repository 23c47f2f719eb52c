/* runtime/main - program stack-runtime: verbs and options.
 *
 * Owns: global flags, the log, exit codes, the read-only view of our own file. May not touch:
 * containers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mount.h"
#include "base/stamp.h"
#include "base/text.h"
#include "runtime/errtext.h"
#include "runtime/features.h"
#include "runtime/nursery.h"
#include "runtime/verbs.h"

#define GLOBAL(member) offsetof(struct runtime, member)

/* clang-format off */
static const struct option_row global_options[] = {
	{ "root", 0, OPTION_TEXT, GLOBAL(root), "DIR  folder for the state of containers" },
	{ "log", 0, OPTION_TEXT, GLOBAL(log_path), "FILE  log there, too" },
	{ "log-format", 0, OPTION_TEXT, GLOBAL(log_format), "text|json" },
	{ "log-level", 0, OPTION_TEXT, GLOBAL(log_level), "error|warning|info|debug" },
	{ "debug", 0, OPTION_BOOL, GLOBAL(debug), "log more" },
	{ "systemd-cgroup", 0, OPTION_BOOL, GLOBAL(systemd_cgroup), "cgroups by systemd" },
	{ "cgroup-manager", 0, OPTION_TEXT, GLOBAL(cgroup_manager), "cgroupfs|systemd|disabled" },
	{ "rootless", 0, OPTION_TEXT, GLOBAL(rootless_word), "true|false|auto" },
	{ "version", 'v', OPTION_BOOL, GLOBAL(version), "print the version" },
	{ "help", 'h', OPTION_BOOL, GLOBAL(help), "print this" },
	{ 0 },
};
/* clang-format on */

/* One line of the log, in the form that --log-format asks for. */
static void write_line(const struct runtime *runtime, int fd, const char *level, const char *text)
{
	const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
	AUTO(json) struct json_object *quoted = json_object_new_string(text);
	AUTO(json) struct json_object *line = json_object_new_object();
	char time[STAMP_TEXT_LEN];

	stamp_rfc3339(stamp_now_ns(), time);
	if (strcmp(runtime->log_format, "json") != 0) {
		dprintf(fd, "time=\"%s\" level=%s msg=%s\n", time, level,
			json_object_to_json_string_ext(quoted, flags));
		return;
	}
	json_add_text(line, "level", level);
	json_add_text(line, "msg", text);
	json_add_text(line, "time", time);
	dprintf(fd, "%s\n", json_object_to_json_string_ext(line, flags));
}

void runtime_log(const struct runtime *runtime, const char *level, const char *text)
{
	bool debug = strcmp(level, "debug") == 0 || strcmp(level, "info") == 0;

	if (debug && !runtime->debug)
		return;
	if (runtime->log_fd >= 0)
		write_line(runtime, runtime->log_fd, level, text);
	if (strcmp(level, "error") == 0)
		dprintf(2, "%s\n", text);
	else if (runtime->log_fd < 0)
		write_line(runtime, 2, level, text);
}

void runtime_warn(void *context, const char *text)
{
	runtime_log(context, "warning", text);
}

void runtime_debug(void *context, const char *text)
{
	runtime_log(context, "debug", text);
}

struct state *runtime_state(const struct runtime *runtime, const char *id, struct err *err)
{
	return state_read(runtime->root, id, err);
}

int runtime_write_pid(const char *path, pid_t pid, struct err *err)
{
	AUTO(free) char *folder = NULL;
	AUTO(fd) int dir_fd = -1;
	const char *slash;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)pid);

	if (!path)
		return 0;
	slash = strrchr(path, '/');
	folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, errno, "pid file %s", path);
	return file_replace(dir_fd, slash ? slash + 1 : path, text, (size_t)len, err);
}

static void print_usage(FILE *out, const struct verb *verb)
{
	const struct option_row *rows = verb ? verb->options : global_options;
	const char *self = program_invocation_short_name; /* engines install us under other names */

	if (verb)
		fprintf(out, "NAME:\n   %s %s - %s\n\nUSAGE:\n   %s %s [options] %s\n\nOPTIONS:\n",
			self, verb->name, verb->help, self, verb->name, verb->usage);
	else
		fprintf(out,
			"NAME:\n   %s - Open Container Initiative runtime\n\nUSAGE:\n   %s "
			"[global options] command [options] [arguments]\n\nCOMMANDS:\n",
			self, self);
	for (const struct verb *row = verb_table; !verb && row->name; row++)
		fprintf(out, "   %-12s %s\n", row->name, row->help);
	if (!verb)
		fprintf(out, "\nGLOBAL OPTIONS:\n");
	for (; rows && rows->name; rows++)
		fprintf(out, "   %s%c%s--%s %s\n", rows->letter ? "-" : "",
			rows->letter ? rows->letter : ' ', rows->letter ? ", " : "   ", rows->name,
			rows->help);
}

static int print_version(void)
{
	printf("stack-runtime version %s\ncommit: %s\nspec: %s\n", STACK_VERSION, STACK_VERSION,
	       OCI_VERSION);
	return 0;
}

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *verb = verb_table; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

static int open_log(struct runtime *runtime, struct err *err)
{
	if (strcmp(runtime->log_format, "json") != 0 && strcmp(runtime->log_format, "text") != 0)
		return err_set(err, ERR_INVALID, "invalid log-format: %.40s", runtime->log_format);
	if (runtime->log_level && strcmp(runtime->log_level, "debug") == 0)
		runtime->debug = true;
	if (!runtime->log_path || !runtime->log_path[0])
		return 0;
	runtime->log_fd = open(runtime->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return runtime->log_fd < 0 ? err_sys(err, errno, "log %s", runtime->log_path) : 0;
}

static int settle_globals(struct runtime *runtime, struct err *err)
{
	const char *run_dir = getenv("XDG_RUNTIME_DIR");

	if (strcmp(runtime->rootless_word, "auto") == 0)
		runtime->rootless = geteuid() != 0;
	else
		runtime->rootless = strcmp(runtime->rootless_word, "true") == 0;
	if (strcmp(runtime->cgroup_manager, "systemd") == 0)
		runtime->systemd_cgroup = true;
	else if (strcmp(runtime->cgroup_manager, "cgroupfs") != 0 &&
		 strcmp(runtime->cgroup_manager, "disabled") != 0)
		return err_set(err, ERR_INVALID, "--cgroup-manager: unknown value %.40s",
			       runtime->cgroup_manager);
	runtime->root_given = runtime->root != NULL;
	if (!runtime->root)
		runtime->root = geteuid() != 0 && run_dir ? xformat("%s/stack/runtime", run_dir)
							  : "/run/stack/runtime";
	if (runtime->root[0] != '/') {
		AUTO(free) char *cwd = getcwd(NULL, 0);

		runtime->root = xformat("%s/%s", cwd ? cwd : "", runtime->root);
	}
	return 0;
}

/* Our own file must not be reachable for writing from inside a container (CVE-2019-5736): we run
 * from a view of it that cannot be written. Supervisors start us from one already. */
static void run_from_readonly_view(char **argv)
{
	AUTO(fd) int self_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	AUTO(fd) int view_fd = -1;
	struct statvfs fs;
	struct err err = ERR_NONE;

	if (self_fd < 0 || (fstatvfs(self_fd, &fs) == 0 && fs.f_flag & ST_RDONLY) ||
	    fcntl(self_fd, F_GETFD) < 0)
		return;
	view_fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (view_fd >= 0 &&
	    mount_set(view_fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, -1, false, &err) < 0)
		close(TAKE_FD(view_fd));
	if (view_fd < 0) { /* without the right to mount: a sealed copy */
		AUTO(fd) int file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		struct stat st;
		int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

		view_fd = memfd_create("stack-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (fcntl(file_fd, F_GET_SEALS) == seals || fstat(file_fd, &st) < 0 ||
		    sendfile(view_fd, file_fd, NULL, (size_t)st.st_size) != st.st_size ||
		    fchmod(view_fd, 0755) < 0 || fcntl(view_fd, F_ADD_SEALS, seals) < 0)
			return;
	}
	execveat(view_fd, "", argv, environ, AT_EMPTY_PATH);
}

/* How the file that we run from is kept from being written, as the kernel tells it. */
static const char *own_file_protection(void)
{
	AUTO(fd) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && seals & F_SEAL_WRITE)
		return "a sealed copy in memory";
	return fd >= 0 && fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY
		       ? "a read-only view of its mount"
		       : "no protection, the file itself";
}

static int run_verb(struct runtime *runtime, const struct verb *verb, int argc, char **argv,
		    int index, struct err *err)
{
	struct flags flags = { 0 };
	AUTO(free) const char **args = xcalloc((size_t)argc + 1, sizeof(*args));
	size_t count = 0, most = verb->max_args ? verb->max_args : verb->min_args;

	for (int i = index; i < argc && (i == index || argv[i - 1][0] == '-'); i++)
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			print_usage(stdout, verb);
			return 0;
		}
	if (options_parse(verb->options, &flags, argc, argv, &index, verb->stop_early, args, &count,
			  err) < 0) {
		print_usage(stderr, verb);
		return -1;
	}
	if (count < verb->min_args || count > most) {
		print_usage(stderr, verb);
		return err_set(err, ERR_INVALID, "\"stack-runtime %s\" requires %s%zu argument(s)",
			       verb->name, most == verb->min_args ? "exactly " : "a minimum of ",
			       verb->min_args);
	}
	if (count && state_check_id(args[0], err) < 0)
		return -1;
	if (runtime->debug) {
		AUTO(free) char *text = xformat("command %s %s", verb->name, count ? args[0] : "");
		AUTO(free) char *file = xformat("/proc/self/exe is %s", own_file_protection());

		runtime_log(runtime, "debug", text);
		runtime_log(runtime, "debug", file);
	}
	return verb->run(runtime, &flags, args, count, err);
}

static int fail(struct runtime *runtime, const struct verb *verb, struct err *err)
{
	errtext_lower(err->msg);
	runtime_log(runtime, "error", err->msg);
	return verb && strcmp(verb->name, "exec") == 0 ? 255 : 1;
}

int main(int argc, char **argv)
{
	struct runtime runtime = { .log_format = "text",
				   .rootless_word = "auto",
				   .cgroup_manager = "cgroupfs",
				   .log_fd = -1 };
	const struct verb *verb = NULL;
	struct err err = ERR_NONE;
	int first = 1, status;

	if (argc > 1 && strcmp(argv[1], "monitor") == 0)
		return monitor_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "nursery") == 0)
		return nursery_main(argc, argv);
	run_from_readonly_view(argv);
	while (fcntl(3 + (int)runtime.given_fds, F_GETFD) >= 0)
		runtime.given_fds++;
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(global_options, &runtime, argc, argv, &first, true, NULL, NULL, &err) <
	    0) {
		print_usage(stderr, NULL);
		return fail(&runtime, NULL, &err);
	}
	if (runtime.version)
		return print_version();
	if (runtime.help || first >= argc) {
		print_usage(stdout, NULL);
		return 0;
	}
	if (strcmp(argv[first], "help") == 0) {
		print_usage(stdout, first + 1 < argc ? find_verb(argv[first + 1]) : NULL);
		return 0;
	}
	verb = find_verb(argv[first]);
	if (!verb) {
		print_usage(stderr, NULL);
		err_set(&err, ERR_INVALID, "No help topic for '%.60s'", argv[first]);
		return fail(&runtime, NULL, &err);
	}
	if (settle_globals(&runtime, &err) < 0 || open_log(&runtime, &err) < 0)
		return fail(&runtime, verb, &err);
	status = run_verb(&runtime, verb, argc, argv, first + 1, &err);
	return status < 0 ? fail(&runtime, verb, &err) : status;
}
