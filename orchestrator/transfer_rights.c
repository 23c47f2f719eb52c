/* orchestrator/transfer_rights - what a pull worker may still do, and when a pull is due.
 *
 * Owns: the list of capabilities that unpacking needs; the words of pull policies.
 * May not touch: other processes. Source: capabilities(7).
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "orchestrator/transfer.h"
#include "specs/units.h"

#define DAY_S (24 * 3600)

/* SYS_ADMIN: trusted.* attributes and the probe of EROFS. */
static const unsigned kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
				 CAP_MKNOD, CAP_SETFCAP,      CAP_SYS_ADMIN };

int transfer_drop_rights(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, errno, "give up privileges");
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

int transfer_policy_parse(const char *word, enum transfer_policy *out_policy,
			  uint64_t *out_max_age_s, struct err *err)
{
	static const struct {
		const char *word;
		enum transfer_policy policy;
		uint64_t max_age_s;
	} words[] = {
		{"always",          TRANSFER_ALWAYS,  0        },
                { "missing",        TRANSFER_MISSING, 0        },
		{ "if_not_present", TRANSFER_MISSING, 0        },
                { "daily",          TRANSFER_AGED,    DAY_S    },
		{ "weekly",         TRANSFER_AGED,    7 * DAY_S},
	};
	uint64_t age_us;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0) {
			*out_policy = words[i].policy;
			*out_max_age_s = words[i].max_age_s;
			return 0;
		}
	if (!text_starts(word, "every_"))
		return err_set(err, ERR_INVALID,
			       "pull policy \"%.40s\": must be always, missing, daily, weekly or "
			       "every_DURATION",
			       word);
	if (units_parse_duration(word + strlen("every_"), &age_us, err) < 0)
		return err_wrap(err, "pull policy \"%.40s\"", word);
	*out_policy = TRANSFER_AGED;
	*out_max_age_s = age_us / 1000000;
	return 0;
}
