/* orchestrator/cli/top - the processes of a container as `ps -ef` shows them.
 *
 * Owns: the reading of /proc/PID/stat and cmdline. May not touch: cgroups.
 */
#include "orchestrator/cli/top.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"

struct process_row {
	int pid, ppid;
	uid_t uid;
	uint64_t ticks, start_ticks;
	char name[64];
	char command[512];
};

/* Of /proc/PID/stat, counted from the one behind the name. */
enum { FIELD_PPID = 1, FIELD_USER = 11, FIELD_SYSTEM = 12, FIELD_START = 19 };

static bool read_field(const char *text, unsigned field, uint64_t *out)
{
	struct slice rest = slice_trim(SLICE(text)), word;
	struct err err = ERR_NONE;

	for (unsigned i = 0; slice_next(&rest, ' ', &word); i++)
		if (i == field)
			return num_parse_u64("field", word.at, word.len, 0, UINT64_MAX, out,
					     &err) == 0;
	return false;
}

static ino_t namespace_of(int pid)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static bool read_row(int pid, struct process_row *out)
{
	char path[48];
	AUTO(free) char *stat_text = NULL;
	AUTO(free) char *command = NULL;
	struct err err = ERR_NONE;
	struct stat st;
	uint64_t ppid, user, system;
	size_t len = 0;
	char *name, *end;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read(AT_FDCWD, path, 65536, &stat_text, NULL, &err) < 0)
		return false;
	name = strchr(stat_text, '(');
	end = strrchr(stat_text, ')');
	if (!name || !end || !read_field(end + 1, FIELD_PPID, &ppid) ||
	    !read_field(end + 1, FIELD_USER, &user) ||
	    !read_field(end + 1, FIELD_SYSTEM, &system) ||
	    !read_field(end + 1, FIELD_START, &out->start_ticks))
		return false;
	*end = '\0';
	out->pid = pid;
	out->ppid = (int)ppid;
	out->uid = st.st_uid;
	out->ticks = user + system;
	snprintf(out->name, sizeof(out->name), "%.63s", name + 1);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (file_read(AT_FDCWD, path, 65536, &command, &len, &err) < 0 || !len) {
		snprintf(out->command, sizeof(out->command), "[%s]", out->name);
		return true;
	}
	for (size_t i = 0; i + 1 < len; i++)
		if (!isprint((unsigned char)command[i]))
			command[i] = ' ';
	snprintf(out->command, sizeof(out->command), "%.511s", command);
	return true;
}

static void add_row(struct table *table, const struct record *record, const struct process_row *row)
{
	char number[16], pid[16], ppid[16], start[16], spent[32], user[64];
	unsigned long seconds = (unsigned long)(row->ticks / (uint64_t)sysconf(_SC_CLK_TCK));
	struct timespec boot, now;
	time_t at;
	struct tm tm;
	struct passwd *entry = getpwuid(row->uid);

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &now);
	at = now.tv_sec - boot.tv_sec + (time_t)(row->start_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
	localtime_r(&at, &tm);
	strftime(start, sizeof(start), "%H:%M", &tm);
	snprintf(number, sizeof(number), "%u", record->slot);
	snprintf(pid, sizeof(pid), "%d", row->pid);
	snprintf(ppid, sizeof(ppid), "%d", row->ppid);
	snprintf(spent, sizeof(spent), "%02lu:%02lu:%02lu", seconds / 3600, seconds / 60 % 60,
		 seconds % 60);
	if (entry)
		snprintf(user, sizeof(user), "%s", entry->pw_name);
	else
		snprintf(user, sizeof(user), "%u", (unsigned)row->uid);
	table_row(table, (const char *const[]){ record->service, number, user, pid, ppid, "0",
						start, "?", spent, row->command, NULL });
}

void top_rows(struct table *table, const struct record *record)
{
	ino_t wanted = namespace_of(record->init.pid);
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && wanted && (entry = readdir(dir)) != NULL) {
		struct process_row row;
		struct err no_pid = ERR_NONE;
		uint64_t pid;

		if (num_parse_u64("pid", entry->d_name, strlen(entry->d_name), 1, INT_MAX, &pid,
				  &no_pid) == 0 &&
		    namespace_of((int)pid) == wanted && read_row((int)pid, &row))
			add_row(table, record, &row);
	}
	if (dir)
		closedir(dir);
}
