/* tests/e2e/fake_systemd - a bus with a manager of units behind it, as far as scopes go.
 *
 * fake_systemd SOCKET LOG: listens on SOCKET, serves one connection after the other, writes one
 * line per call and per property into LOG, makes and removes the scopes' cgroups. The first start
 * of a unit called "*twice*" meets one of the same name; one called "*broken*" fails as a job.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "runtime/dbus.h"
#include "runtime/systemd_unit.h"

#define MANAGER "/org/freedesktop/systemd1"

static struct world {
	FILE *log;
	int fd;
	uint32_t serial;
	char unit[200], path[400]; /* the one that runs */
	bool refused;
} world;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(world.log, fmt, ap);
	va_end(ap);
	fputc('\n', world.log);
	fflush(world.log);
}

/* The hierarchies in which systemd itself keeps units. */
static const char *const roots[] = { "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified",
				     "/sys/fs/cgroup" };

static bool is_root(const char *root)
{
	AUTO(free) char *procs = xformat("%s/cgroup.procs", root);

	return access(procs, W_OK) == 0;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		note("failed %s: %s", path, strerror(errno));
	close(fd);
}

static void make_unit(const char *slice, uint32_t pid)
{
	struct err err = ERR_NONE;
	AUTO(free) char *above = systemd_slice_path(slice, &err);

	snprintf(world.path, sizeof(world.path), "%s/%s", above ? above : "", world.unit);
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		AUTO(free) char *folder = xformat("%s%s", roots[i], world.path);
		AUTO(free) char *procs = xformat("%s/cgroup.procs", folder);
		AUTO(free) char *number = xformat("%u", pid);

		if (!is_root(roots[i]))
			continue;
		for (char *at = folder + strlen(roots[i]) + 1; (at = strchr(at, '/'));
		     *at++ = '/') {
			*at = '\0';
			mkdir(folder, 0755);
		}
		mkdir(folder, 0755);
		if (pid)
			write_file(procs, number);
	}
}

static void drop_unit(void)
{
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		char *folder = xformat("%s%s", roots[i], world.path);

		for (char *end; is_root(roots[i]) && strlen(folder) > strlen(roots[i]) &&
				rmdir(folder) == 0 && (end = strrchr(folder, '/'));)
			*end = '\0';
		free(folder);
	}
	world.unit[0] = '\0';
}

static void answer(const struct dbus_message *call, const char *error, const char *text,
		   const char *type)
{
	struct dbus_message head = { .kind = error ? DBUS_ERROR : DBUS_RETURN,
				     .serial = ++world.serial,
				     .reply_serial = call->serial,
				     .error = error,
				     .signature = text ? type : NULL };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	struct err err = ERR_NONE;

	if (text && *type == 'v') {
		dbus_put_signature(&body, "s");
		dbus_put_text(&body, text);
	} else if (text) {
		dbus_put_text(&body, text);
	}
	if (dbus_send(world.fd, &head, ":1.7", &body, &err) < 0)
		note("failed to answer: %s", err.msg);
}

static void job_removed(const char *job, const char *unit, const char *result)
{
	struct dbus_message head = { .kind = DBUS_SIGNAL,
				     .serial = ++world.serial,
				     .path = MANAGER,
				     .interface = "org.freedesktop.systemd1.Manager",
				     .member = "JobRemoved",
				     .signature = "uoss" };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	struct err err = ERR_NONE;

	dbus_put_u32(&body, 1);
	dbus_put_text(&body, job);
	dbus_put_text(&body, unit);
	dbus_put_text(&body, result);
	if (dbus_send(world.fd, &head, NULL, &body, &err) < 0)
		note("failed to tell: %s", err.msg);
}

/* One (name, variant) of a property list; texts and numbers are kept by the caller where wanted. */
static void read_property(struct dbus_reader *reader, char *slice, size_t size, uint32_t *pid)
{
	AUTO(free) char *line = NULL;
	const char *name, *type;
	size_t line_len;
	FILE *out = open_memstream(&line, &line_len);

	dbus_skip_pad(reader, 8);
	name = dbus_get_text(reader);
	type = dbus_get_signature(reader);
	fprintf(out, "%s %s", name, type);
	if (strcmp(type, "s") == 0) {
		const char *text = dbus_get_text(reader);

		fprintf(out, " %s", text);
		if (strcmp(name, "Slice") == 0)
			snprintf(slice, size, "%s", text);
	} else if (strcmp(type, "b") == 0 || strcmp(type, "u") == 0 || strcmp(type, "i") == 0) {
		fprintf(out, " %u", dbus_get_u32(reader));
	} else if (strcmp(type, "t") == 0 || strcmp(type, "x") == 0) {
		fprintf(out, " %llu", (unsigned long long)dbus_get_u64(reader));
	} else {
		uint32_t len = dbus_get_u32(reader);
		size_t end;

		if (type[1] == '(')
			dbus_skip_pad(reader, 8);
		end = reader->pos + len;
		while (!reader->bad && reader->pos < end) {
			if (strcmp(type, "ay") == 0) {
				fprintf(out, " %02x", dbus_get_u8(reader));
			} else if (strcmp(type, "au") == 0) {
				*pid = dbus_get_u32(reader);
			} else if (strcmp(type, "as") == 0) {
				fprintf(out, " %s", dbus_get_text(reader));
			} else { /* a(ss) */
				dbus_skip_pad(reader, 8);
				fprintf(out, " %s", dbus_get_text(reader));
				fprintf(out, "=%s", dbus_get_text(reader));
			}
		}
	}
	fclose(out);
	note("%s", line);
}

static void read_properties(struct dbus_reader *reader, char *slice, size_t size, uint32_t *pid)
{
	uint32_t len = dbus_get_u32(reader);
	size_t end;

	dbus_skip_pad(reader, 8);
	end = reader->pos + len;
	while (!reader->bad && reader->pos < end)
		read_property(reader, slice, size, pid);
	if (reader->bad || reader->pos != end)
		note("failed: properties are not whole");
}

static void start_unit(struct dbus_message *call)
{
	char slice[200] = "-.slice", unit[200];
	uint32_t pid = 0, others;

	snprintf(unit, sizeof(unit), "%s", dbus_get_text(&call->body));
	dbus_get_text(&call->body);
	read_properties(&call->body, slice, sizeof(slice), &pid);
	others = dbus_get_u32(&call->body);
	dbus_skip_pad(&call->body, 8);
	if (others || call->body.bad || call->body.pos != call->body.len)
		note("failed: the call is not whole");
	if (strstr(unit, "twice") && !world.refused) {
		world.refused = true;
		answer(call, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded.",
		       "s");
		return;
	}
	answer(call, NULL, MANAGER "/job/1", "o");
	job_removed(MANAGER "/job/77", "other.service", "failed");
	if (strstr(unit, "broken")) {
		job_removed(MANAGER "/job/1", unit, "failed");
		return;
	}
	snprintf(world.unit, sizeof(world.unit), "%s", unit);
	make_unit(slice, pid);
	job_removed(MANAGER "/job/1", unit, "done");
}

static void stop_unit(struct dbus_message *call)
{
	const char *unit = dbus_get_text(&call->body);

	if (strcmp(unit, world.unit) != 0) {
		answer(call, "org.freedesktop.systemd1.NoSuchUnit", "Unit not loaded.", "s");
		return;
	}
	drop_unit();
	answer(call, NULL, MANAGER "/job/2", "o");
	job_removed(MANAGER "/job/2", unit, "done");
}

static void serve(struct dbus_message *call)
{
	char slice[200];
	uint32_t pid;

	note("%s %s", call->member, call->signature);
	if (strcmp(call->member, "Hello") == 0) {
		answer(call, NULL, ":1.7", "s");
	} else if (strcmp(call->member, "StartTransientUnit") == 0) {
		start_unit(call);
	} else if (strcmp(call->member, "StopUnit") == 0) {
		stop_unit(call);
	} else if (strcmp(call->member, "SetUnitProperties") == 0) {
		dbus_get_text(&call->body);
		dbus_get_u32(&call->body);
		read_properties(&call->body, slice, sizeof(slice), &pid);
		answer(call, NULL, NULL, NULL);
	} else if (strcmp(call->member, "Get") == 0) {
		answer(call, NULL, "", "v");
	} else {
		answer(call, NULL, NULL, NULL);
	}
}

/* A NUL, "AUTH EXTERNAL 30\r\n", then "BEGIN\r\n". */
static bool authenticate(void)
{
	char line[100] = "";

	for (size_t len = 0; len + 1 < sizeof(line); len++) {
		if (recv(world.fd, line + len, 1, 0) != 1)
			return false;
		if (!strstr(line + 1, "\r\n"))
			continue;
		note("%.*s", (int)strcspn(line + 1, "\r"), line + 1);
		if (strstr(line + 1, "BEGIN"))
			return true;
		if (send(world.fd, "OK 0123456789abcdef\r\n", 21, MSG_NOSIGNAL) < 0)
			return false;
		memset(line, 0, sizeof(line));
		len = 0;
		line[0] = ' ';
	}
	return false;
}

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 3)
		return 2;
	world.log = fopen(argv[2], "ae");
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", argv[1]);
	if (!world.log || bind(listener, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(listener, 4) < 0)
		return 1;
	while ((world.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (authenticate())
			for (;;) {
				AUTO(dbus_message) struct dbus_message call = { 0 };
				struct err err = ERR_NONE;

				if (dbus_read(world.fd, 60000, &call, &err) < 0)
					break;
				serve(&call);
			}
		close(world.fd);
	}
	return 0;
}
