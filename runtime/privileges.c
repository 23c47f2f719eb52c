/* runtime/privileges - user, groups, capabilities, no_new_privs.
 *
 * Owns: the order in which rights go. May not touch: filters (seccomp), labels, limits.
 */
#include "runtime/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/capability.h"

static int get_caps(struct __user_cap_data_struct out[2])
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return (int)syscall(SYS_capget, &header, out);
}

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective,          (uint32_t)permitted,         (uint32_t)inheritable},
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
                 (uint32_t)(inheritable >> 32)						   },
	};

	return (int)syscall(SYS_capset, &header, data);
}

static uint64_t permitted_now(void)
{
	struct __user_cap_data_struct data[2] = { 0 };

	return get_caps(data) < 0 ? 0 : data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static int drop_bounding(uint64_t keep, int last, struct err *err)
{
	for (int cap = 0; cap <= last; cap++)
		if (!(keep & 1ull << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return err_sys(err, errno, "drop %s from the bounding set",
				       capability_name(cap));
	return 0;
}

static int change_ids(const struct config_process *process, bool setgroups_denied, struct err *err)
{
	if (!setgroups_denied &&
	    setgroups(process->additional_gid_count, process->additional_gids) < 0)
		return err_sys(err, errno, "setgroups");
	if (setresgid(process->gid, process->gid, process->gid) < 0)
		return err_sys(err, errno, "setgid %u", process->gid);
	if (setresuid(process->uid, process->uid, process->uid) < 0)
		return err_sys(err, errno, "setuid %u", process->uid);
	return 0;
}

static void tell_missing(uint64_t missing, void (*warn)(void *context, const char *text),
			 void *context)
{
	for (int cap = 0; missing && warn && cap < 64; cap++)
		if (missing & 1ull << cap && capability_name(cap)) {
			char text[120];

			snprintf(text, sizeof(text), "%s cannot be given: we do not have it",
				 capability_name(cap));
			warn(context, text);
		}
}

static void raise_ambient(uint64_t ambient, int last, void (*warn)(void *, const char *),
			  void *context)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap <= last; cap++)
		if (ambient & 1ull << cap &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && warn) {
			char text[120];

			snprintf(text, sizeof(text), "can't raise ambient capability %s: %s",
				 capability_name(cap), strerrordesc_np(errno));
			warn(context, text);
		}
}

int privileges_become(const struct config_process *process, bool setgroups_denied,
		      void (*warn)(void *context, const char *text), void *context, struct err *err)
{
	const struct config_caps *caps = &process->caps;
	int last = capability_last();
	uint64_t known = last >= 63 ? UINT64_MAX : (1ull << (last + 1)) - 1, have;
	uint64_t permitted = caps->permitted & known;

	for (size_t i = 0; warn && i < caps->unknown.count && i < 8; i++) {
		char text[120];

		snprintf(text, sizeof(text), "ignoring unknown capability %.60s",
			 caps->unknown.at[i]);
		warn(context, text);
	}
	if (drop_bounding(caps->bounding, last, err) < 0)
		return -1;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "keep capabilities");
	if (change_ids(process, setgroups_denied, err) < 0)
		return -1;
	have = permitted_now();
	tell_missing(permitted & ~have, warn, context);
	permitted &= have;
	if (set_caps(caps->effective & permitted, permitted,
		     caps->inheritable & (have | permitted)) < 0)
		return err_sys(err, errno, "set capabilities");
	raise_ambient(caps->ambient & known, last, warn, context);
	return 0;
}

int privileges_no_new(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	return 0;
}
