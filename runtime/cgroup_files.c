/* runtime/cgroup_files - short control files, and writes that can be taken back.
 *
 * Owns: reading and writing of one file, the list of old values. May not touch: what the files
 * mean.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

int cgroup_file_open(const char *folder, const char *file, int flags)
{
	char path[4096 + 64];

	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC);
}

bool cgroup_file_read(const char *folder, const char *file, char *out, size_t size)
{
	AUTO(fd) int fd = cgroup_file_open(folder, file, O_RDONLY);
	size_t len = 0;
	ssize_t n = 0;

	out[0] = '\0';
	if (fd < 0)
		return false;
	while (len + 1 < size && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	while (len && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	return n >= 0;
}

int cgroup_file_write(const char *folder, const char *file, const char *text)
{
	AUTO(fd) int fd = cgroup_file_open(folder, file, O_WRONLY);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static uint64_t leading_u64(const char *text, uint64_t fallback)
{
	struct err err = ERR_NONE;
	uint64_t number;

	if (text_starts(text, "max"))
		return UINT64_MAX;
	return num_parse_u64("number", text, num_digits(text, strlen(text)), 0, UINT64_MAX, &number,
			     &err) < 0
		       ? fallback
		       : number;
}

uint64_t cgroup_file_u64(const char *folder, const char *file, uint64_t fallback)
{
	char text[64];

	return folder && cgroup_file_read(folder, file, text, sizeof(text))
		       ? leading_u64(text, fallback)
		       : fallback;
}

uint64_t cgroup_key_u64(const char *text, const char *key, uint64_t fallback)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return leading_u64(line + len + 1, fallback);
	}
	return fallback;
}

bool cgroup_has_file(const char *folder, const char *file)
{
	char path[4096 + 64];

	return snprintf(path, sizeof(path), "%s/%s", folder, file) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

int limit_fail(struct limit_writer *writer, int errno_value, const char *controller,
	       const char *file, const char *text)
{
	const char *folder = cgroup_folder(writer->cgroup, controller);

	if (!folder)
		return err_set(writer->err, ERR_UNSUPPORTED,
			       "%s cannot be set: the %s controller is not mounted", file,
			       controller);
	if (errno_value == ENOENT)
		return err_set(
			writer->err, ERR_UNSUPPORTED,
			"%s cannot be set: this kernel, or the cgroup above, does not have it",
			file);
	return err_sys(writer->err, errno_value, "failed to write %s: %.60s to %s", text, file,
		       folder);
}

static int put(struct limit_writer *writer, const char *controller, const char *file,
	       const char *text)
{
	const char *folder = cgroup_folder(writer->cgroup, controller);
	struct limit_change *change;
	char old[4096] = "";

	if (!folder)
		return ENOENT;
	if (writer->update)
		cgroup_file_read(folder, file, old, sizeof(old));
	if (cgroup_file_write(folder, file, text) < 0)
		return errno ? errno : EIO;
	if (!writer->update)
		return 0;
	change = xgrow(&writer->changes, &writer->count, sizeof(*change));
	*change = (struct limit_change){ xstrdup(folder), xstrdup(file), xstrdup(old) };
	return 0;
}

int limit_try(struct limit_writer *writer, const char *controller, const char *file,
	      const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return put(writer, controller, file, text);
}

int limit_put(struct limit_writer *writer, const char *controller, const char *file,
	      const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int failed;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	failed = put(writer, controller, file, text);
	return failed ? limit_fail(writer, failed, controller, file, text) : 0;
}
