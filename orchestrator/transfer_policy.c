/* orchestrator/transfer_policy - when a pull is due.
 *
 * Owns: the words of pull policies, the age of a name, whether the platform fits. May not touch:
 * the registry.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/platform.h"
#include "images/ref.h"
#include "orchestrator/transfer.h"
#include "specs/model.h"
#include "specs/units.h"

#define DAY_S (24 * 3600)

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

const char *transfer_policy_of(struct arena *arena, const struct service *service)
{
	const struct opt_time *after = &service->pull_refresh_after;
	const char *word = service->pull_policy;

	if (word && strcmp(word, "refresh") != 0)
		return word;
	if (after->is_set)
		return arena_format(arena, "every_%lldus", (long long)after->us);
	return word ? "always" : NULL;
}

bool transfer_policy_is_due(struct store *store, const char *ref, enum transfer_policy policy,
			    uint64_t max_age_s)
{
	char canonical[REF_TEXT_MAX + 1];
	struct err ignored = ERR_NONE;
	struct image_name name;
	struct ref parsed;

	if (policy != TRANSFER_AGED)
		return policy == TRANSFER_ALWAYS;
	if (ref_parse(ref, &parsed, &ignored) < 0 ||
	    store_name(store, ref_canonical(&parsed, canonical, sizeof(canonical)), &name,
		       &ignored) < 0)
		return false; /* an ID, or a name that was never pulled */
	return (stamp_now_ns() - name.pulled_unix_ns) / 1000000000 >= max_age_s;
}

bool transfer_platform_fits(struct store *store, const char *id, const char *platform)
{
	struct err ignored = ERR_NONE;
	AUTO(image_record)
	struct image_record *record = platform ? store_image(store, id, &ignored) : NULL;
	struct platform wanted, have = { .os = "linux" };
	bool is_explicit;

	if (!record || !record->architecture[0] ||
	    platform_wanted(platform, &wanted, &is_explicit, &ignored) < 0)
		return true;
	snprintf(have.arch, sizeof(have.arch), "%s", record->architecture);
	snprintf(have.variant, sizeof(have.variant), "%s", record->variant);
	platform_normalise(&have);
	return platform_score(&wanted, true, &have) != 0;
}
