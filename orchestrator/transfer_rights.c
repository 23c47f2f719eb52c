/* orchestrator/transfer_rights - what a pull worker may still do.
 *
 * Owns: the list of capabilities that unpacking needs, the rules for files.
 * May not touch: other processes. Source: capabilities(7), landlock(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "orchestrator/transfer.h"

/* SYS_ADMIN: trusted.* attributes and the mounts that show lower layers. */
static const unsigned kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
				 CAP_MKNOD, CAP_SETFCAP,      CAP_SYS_ADMIN };

/* From this version on links and renames between folders can be allowed. */
#define LANDLOCK_USABLE   2
#define LANDLOCK_TRUNCATE 3
#define MAKING                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                           \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, errno, "read capabilities");
	for (unsigned word = 0; word < 2; word++) {
		unsigned mask = 0;

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			if (kept[i] / 32 == word)
				mask |= 1u << (kept[i] % 32);
		data[word].effective &= mask;
		data[word].permitted &= mask;
		data[word].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, errno, "give up capabilities");
	return 0;
}

static int allow(int rules_fd, const char *path, uint64_t access, struct err *err)
{
	AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = { .allowed_access = access, .parent_fd = fd };

	if (fd < 0 ||
	    syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return err_sys(err, errno, "allow writing to %s", path);
	return 0;
}

/* Nothing is made, written or removed outside the folders, and no program is run. A kernel without
 * landlock does without. */
static int confine(const char *const *folders, size_t count, struct err *err)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t writing =
		MAKING | (version >= LANDLOCK_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
	struct landlock_ruleset_attr rules = { .handled_access_fs =
						       writing | LANDLOCK_ACCESS_FS_EXECUTE };
	AUTO(fd) int rules_fd = -1;

	if (version < LANDLOCK_USABLE)
		return 0;
	rules_fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (rules_fd < 0)
		return err_sys(err, errno, "make rules for files");
	for (size_t i = 0; i < count; i++)
		if (allow(rules_fd, folders[i], writing, err) < 0)
			return -1;
	if (allow(rules_fd, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE, err) < 0)
		return -1;
	return syscall(SYS_landlock_restrict_self, rules_fd, 0) < 0
		       ? err_sys(err, errno, "give up files")
		       : 0;
}

int transfer_drop_rights(const char *const *folders, size_t count, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, errno, "give up privileges");
	if (count && confine(folders, count, err) < 0)
		return -1;
	return drop_capabilities(err);
}
