/* runtime/cgroup_v1_devices - device rules as lines of devices.allow and devices.deny.
 *
 * Owns: the lines, and on update the difference alone. May not touch: device programs of v2.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/device_rules.h"

void device_rule_line(const struct config_device_rule *rule, char *out, size_t size)
{
	char major[24] = "*", minor[24] = "*";

	if (rule->major >= 0)
		snprintf(major, sizeof(major), "%lld", (long long)rule->major);
	if (rule->minor >= 0)
		snprintf(minor, sizeof(minor), "%lld", (long long)rule->minor);
	snprintf(out, size, "%c %s:%s %s%s%s", rule->type, major, minor,
		 rule->access & DEVICE_READ ? "r" : "", rule->access & DEVICE_WRITE ? "w" : "",
		 rule->access & DEVICE_MKNOD ? "m" : "");
}

/* The two files of a folder, opened once for a whole list. */
struct rule_files {
	int allow_fd, deny_fd;
};

static void auto_rules(struct rule_files *files)
{
	auto_fd(&files->allow_fd);
	auto_fd(&files->deny_fd);
}

static int open_rules(struct limit_writer *w, const char *folder, struct rule_files *out)
{
	out->allow_fd = cgroup_file_open(folder, "devices.allow", O_WRONLY);
	out->deny_fd = cgroup_file_open(folder, "devices.deny", O_WRONLY);
	return out->allow_fd < 0 || out->deny_fd < 0
		       ? limit_fail(w, errno, "devices", "devices.allow", "")
		       : 0;
}

static int write_line(struct limit_writer *w, const struct rule_files *files, bool allow,
		      const char *line)
{
	if (write(allow ? files->allow_fd : files->deny_fd, line, strlen(line)) < 0)
		return limit_fail(w, errno, "devices", allow ? "devices.allow" : "devices.deny",
				  line);
	return 0;
}

static int write_rule(struct limit_writer *w, const struct rule_files *files,
		      const struct config_device_rule *rule)
{
	char line[80] = "a";

	if (rule->type != 'a')
		device_rule_line(rule, line, sizeof(line));
	return write_line(w, files, rule->allow, line);
}

/* What the kernel has and the new list lacks is denied after the rest is allowed, so that a running
 * container never sees a moment without its devices. */
static int write_difference(struct limit_writer *w, const struct rule_files *files,
			    const struct config_device_rule *rules, size_t count)
{
	const char *folder = cgroup_folder(w->cgroup, "devices");
	char have[16384], line[80], *save = NULL;

	for (size_t i = 0; i < count; i++)
		if (rules[i].type != 'a' && write_rule(w, files, &rules[i]) < 0)
			return -1;
	cgroup_file_read(folder, "devices.list", have, sizeof(have));
	for (char *old = strtok_r(have, "\n", &save); old; old = strtok_r(NULL, "\n", &save)) {
		bool wanted = false;

		for (size_t i = 0; i < count && !wanted; i++) {
			device_rule_line(&rules[i], line, sizeof(line));
			wanted = rules[i].allow && strncmp(old, line, strcspn(old, " ") + 1) == 0 &&
				 strncmp(old, line, strlen(line)) == 0;
		}
		if (!wanted && !text_starts(old, "a ") && write_line(w, files, false, old) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v1_devices(struct limit_writer *w, const struct config_resources *r)
{
	AUTO(free) struct config_device_rule *rules = NULL;
	size_t count = device_rules_complete(r, &rules);
	const char *folder = cgroup_folder(w->cgroup, "devices");
	AUTO(rules) struct rule_files files = { -1, -1 };
	char have[64];

	if (!folder)
		return r->device_count ? limit_fail(w, ENOENT, "devices", "devices", "") : 0;
	if (count && open_rules(w, folder, &files) < 0)
		return -1;
	if (w->update && device_rules_deny_first(rules, count)) {
		cgroup_file_read(folder, "devices.list", have, sizeof(have));
		if (!text_starts(have, "a "))
			return write_difference(w, &files, rules, count);
	}
	for (size_t i = 0; i < count; i++)
		if (write_rule(w, &files, &rules[i]) < 0)
			return -1;
	return 0;
}
