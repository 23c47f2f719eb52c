/* tests/runtime/k_create - create as a function, as a monitor calls it: a detached overlay as root,
 * pipes as stdio, further descriptors, exec, the end. Needs root and /bin/busybox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/tree.h"
#include "runtime/create.h"
#include "runtime/exec.h"

struct fixture {
	char folder[64], root[80];
	int lower_fd, upper_fd, work_fd;
	int out[2];
	struct config *config;
	struct create_spec spec;
};

static int open_dir(const char *folder, const char *name)
{
	AUTO(free) char *path = xformat("%s/%s", folder, name);
	struct err err = ERR_NONE;

	assert_int_equal(file_make_dirs(AT_FDCWD, path, 0755, &err), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void copy_busybox(int lower_fd)
{
	AUTO(free) char *bytes = NULL;
	struct err err = ERR_NONE;
	size_t len;
	int fd;

	assert_int_equal(mkdirat(lower_fd, "bin", 0755), 0);
	assert_int_equal(mkdirat(lower_fd, "proc", 0755), 0);
	assert_int_equal(mkdirat(lower_fd, "dev", 0755), 0);
	assert_int_equal(file_read(AT_FDCWD, "/bin/busybox", 16u << 20, &bytes, &len, &err), 0);
	fd = openat(lower_fd, "bin/busybox", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	assert_int_equal(file_write_all(fd, bytes, len), 0);
	close(fd);
	assert_int_equal(symlinkat("busybox", lower_fd, "bin/sh"), 0);
}

static void set_program(struct fixture *f, const char *script)
{
	AUTO(free)
	char *text = xformat(
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/"
		"\","
		"\"args\":[\"sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/"
		"bin\"]},\"mounts\":[{\"destination\":"
		"\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],\"linux\":{\"cgroupsPath\":"
		"\"/stack-k-create-%d/c\",\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},"
		"{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]}}",
		script, (int)getpid());
	struct err err = ERR_NONE;

	config_free(f->config);
	f->config = config_parse(text, strlen(text), &err);
	if (!f->config)
		fail_msg("%s", err.msg);
	f->spec.config = f->config;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = ERR_NONE;

	strcpy(f->folder, "/tmp/k_create.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->root, sizeof(f->root), "%s/state", f->folder);
	f->lower_fd = open_dir(f->folder, "lower");
	f->upper_fd = open_dir(f->folder, "upper");
	f->work_fd = open_dir(f->folder, "work");
	copy_busybox(f->lower_fd);
	assert_int_equal(pipe2(f->out, O_CLOEXEC), 0);
	f->spec = (struct create_spec){
		.id = "c",
		.state_root = f->root,
		.bundle = f->folder,
		.netns_fd = -1,
		.stdio_fds = {-1, f->out[1], 2}
	};
	f->spec.root_mount_fd = mount_overlay(&f->lower_fd, 1, f->upper_fd, f->work_fd, 0, 0, &err);
	assert_true(f->spec.root_mount_fd >= 0);
	*state = f;
	return 0;
}

/* Nothing may be left: no state, no cgroup. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	AUTO(free) char *left = xformat("%s/c", f->root);
	AUTO(free) char *cgroup = xformat("/stack-k-create-%d", (int)getpid());
	struct err err = ERR_NONE;
	AUTO(cgroup) struct cgroup *handle = cgroup_open(cgroup, &err);
	AUTO(fd) int tmp_fd = -1;

	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(cgroup_remove(handle, &err), 0);
	config_free(f->config);
	close(f->lower_fd);
	close(f->upper_fd);
	close(f->work_fd);
	close(f->out[0]);
	close(f->out[1]);
	tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_remove(tmp_fd, f->folder + strlen("/tmp/"), &err), 0);
	free(f);
	return 0;
}

static int wait_code(int pidfd)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static void read_line(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);

	assert_true(n > 0);
	out[n] = '\0';
}

static void a_life_with_a_detached_overlay_as_its_root(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	AUTO(container) struct container *container = NULL;
	AUTO(state) struct state *record = NULL;
	char line[256];

	set_program(f, "echo up; echo x >/written; cat /proc/1/comm; exit 3");
	if (create_container(&f->spec, &container, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	record = state_read(f->root, "c", &err);
	assert_non_null(record);
	assert_int_equal(state_status(record), STATUS_CREATED);
	assert_int_equal(record->init.pid, container->init.pid);
	assert_int_equal(create_start(container, &err), 0);
	assert_int_equal(wait_code(container->pidfd), 3);
	read_line(f->out[0], line, sizeof(line));
	assert_int_equal(strncmp(line, "up\n", 3), 0);
	assert_int_equal(state_status(record), STATUS_STOPPED);
	assert_int_equal(faccessat(f->upper_fd, "written", F_OK, 0), 0);
	assert_int_equal(create_delete(container, &err), 0);
}

static void extra_descriptors_become_three_and_four(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	AUTO(container) struct container *container = NULL;
	int ends[2], fds[2];
	char line[64];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0] = ends[0];
	fds[1] = f->out[1];
	f->spec.extra_fds = fds;
	f->spec.extra_fd_count = 2;
	assert_int_equal(write(ends[1], "through\n", 8), 8);
	close(ends[1]);
	set_program(
		f,
		"read x <&3; echo $x >&4; ls /proc/self/fd >/dev/null 2>&1; [ ! -e /proc/1/fd/5 ]");
	if (create_container(&f->spec, &container, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(create_start(container, &err), 0);
	assert_int_equal(wait_code(container->pidfd), 0);
	read_line(f->out[0], line, sizeof(line));
	assert_string_equal(line, "through\n");
	assert_int_equal(create_delete(container, &err), 0);
	close(ends[0]);
}

static void a_program_that_is_not_there_leaves_nothing_and_says_127(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	struct container *container = NULL;
	const char *args[] = { "nosuch", NULL };
	int exit_code = 0;

	set_program(f, "true");
	f->config->process->args = (struct config_texts){ args, 1 };
	assert_int_equal(create_container(&f->spec, &container, &exit_code, &err), -1);
	assert_int_equal(exit_code, 127);
	assert_non_null(strstr(err.msg, "executable file not found in $PATH"));
}

static void undo_takes_back_a_container_that_waits(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	AUTO(container) struct container *container = NULL;

	set_program(f, "true");
	assert_int_equal(create_container(&f->spec, &container, NULL, &err), 0);
	create_undo(container);
	assert_false(process_is_alive(container->init));
}

static void exec_runs_beside_init_and_a_taken_id_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_NONE;
	AUTO(container) struct container *container = NULL;
	AUTO(state) struct state *record = NULL;
	struct container *second = NULL;
	struct config_process process;
	struct exec_session session;
	const char *args[] = { "sh", "-c", "cat /proc/1/comm; exit 9", NULL };
	struct exec_spec spec = {
		.stdio_fds = {-1, f->out[1], 2}
	};
	struct create_spec again;
	char line[64];

	set_program(f, "sleep 100; true");
	assert_int_equal(create_container(&f->spec, &container, NULL, &err), 0);
	assert_int_equal(create_start(container, &err), 0);
	again = f->spec;
	again.root_mount_fd = -1;
	assert_int_equal(mkdirat(f->lower_fd, "../rootfs", 0755), 0);
	assert_int_equal(create_container(&again, &second, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	record = state_read(f->root, "c", &err);
	process = *f->config->process;
	process.args = (struct config_texts){ args, 3 };
	spec.state = record;
	spec.config = f->config;
	spec.process = &process;
	if (exec_start(&spec, &session, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(wait_code(session.pidfd), 9);
	close(session.pidfd);
	read_line(f->out[0], line, sizeof(line));
	assert_string_equal(line, "sh\n");
	process_signal(container->pidfd, SIGKILL);
	assert_int_equal(wait_code(container->pidfd), 128 + SIGKILL);
	assert_int_equal(create_delete(container, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_life_with_a_detached_overlay_as_its_root, setup,
						teardown),
		cmocka_unit_test_setup_teardown(extra_descriptors_become_three_and_four, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_program_that_is_not_there_leaves_nothing_and_says_127, setup, teardown),
		cmocka_unit_test_setup_teardown(undo_takes_back_a_container_that_waits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(exec_runs_beside_init_and_a_taken_id_is_refused,
						setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
