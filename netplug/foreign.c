/* netplug/foreign - living beside rules of others that drop what is forwarded.
 *
 * Owns: the search for such chains, our two rules per bridge in them. May not touch: any other rule
 * of theirs. A rule of ours is known by the literal name of a bridge of ours, so one that went
 * through iptables-save and -restore is found, too. Never a set look-up: iptables would print such
 * a rule as "accept everything". Blocks: dumps of chains and rules.
 */
#include "netplug/foreign.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "netplug/nat_table.h"
#include "netplug/nft_dump.h"

#define COMMENT "stack"

/* A chain that forwarded packets pass, where our rules go. */
struct place {
	uint8_t family;
	const char *table, *chain;
	bool is_base, drops; /* policy, or the last rule */
	bool user;           /* DOCKER-USER */
	uint64_t last_return;
};

struct known_rule {
	const struct place *place;
	uint64_t handle;
	char link[16];
	bool is_in;
};

struct survey {
	struct arena *arena;
	struct place *places;
	size_t place_count;
	struct known_rule *rules;
	size_t rule_count;
	const struct place *reading;
};

static int note_chain(const struct nft_chain_info *info, void *ctx)
{
	struct survey *survey = ctx;
	bool routed = info->family == NFPROTO_IPV4 || info->family == NFPROTO_IPV6 ||
		      info->family == NFPROTO_INET;
	bool user = strcmp(info->name, "DOCKER-USER") == 0 && strcmp(info->table, "filter") == 0;
	bool forward = info->is_base && info->hook == NF_INET_FORWARD;
	struct place *place;

	if (!routed || (!forward && !user) || strcmp(info->table, NAT_TABLE) == 0)
		return 0;
	for (size_t i = 0; i < survey->place_count; i++)
		if (survey->places[i].family == info->family &&
		    strcmp(survey->places[i].table, info->table) == 0 &&
		    strcmp(survey->places[i].chain, info->name) == 0)
			return 0; /* a dump that was repeated */
	place = arena_grow(survey->arena, &survey->places, &survey->place_count, sizeof(*place));
	*place = (struct place){ .family = info->family,
				 .table = arena_strdup(survey->arena, info->table),
				 .chain = arena_strdup(survey->arena, info->name),
				 .is_base = forward,
				 .user = user,
				 .drops = forward && info->policy_drop };
	return 0;
}

static int note_rule(const struct nft_rule_info *info, void *ctx)
{
	struct survey *survey = ctx;
	struct place *place = &survey->places[survey->reading - survey->places];
	struct known_rule *rule;

	if (place->is_base && info->is_drop)
		place->drops = true;
	place->last_return = info->is_return ? info->handle : 0;
	if (!info->link)
		return 0;
	rule = arena_grow(survey->arena, &survey->rules, &survey->rule_count, sizeof(*rule));
	rule->place = place;
	rule->handle = info->handle;
	rule->is_in = info->link_is_in;
	snprintf(rule->link, sizeof(rule->link), "%s", info->link);
	return 0;
}

static int look(struct nft *nft, struct arena *arena, struct survey *survey, struct err *err)
{
	*survey = (struct survey){ .arena = arena };
	if (nft_dump_chains(nft, note_chain, survey, err) < 0)
		return -1;
	for (size_t i = 0; i < survey->place_count; i++) {
		survey->reading = &survey->places[i];
		if (nft_dump_rules(nft, survey->places[i].family, survey->places[i].table,
				   survey->places[i].chain, note_rule, survey, err) < 0)
			return -1;
	}
	return 0;
}

/* Where rules for a dropping chain go: docker's chain for users when the table has one. */
static const struct place *target_of(const struct survey *survey, const struct place *dropper)
{
	for (size_t i = 0; i < survey->place_count; i++)
		if (survey->places[i].user && survey->places[i].family == dropper->family &&
		    strcmp(survey->places[i].table, dropper->table) == 0)
			return &survey->places[i];
	return dropper;
}

static bool has_rule(const struct survey *survey, const struct place *place, const char *link,
		     bool is_in)
{
	for (size_t i = 0; i < survey->rule_count; i++)
		if (survey->rules[i].place == place && survey->rules[i].is_in == is_in &&
		    strcmp(survey->rules[i].link, link) == 0)
			return true;
	return false;
}

static void add_rule(struct nft *nft, const struct place *place, const char *link, bool is_in)
{
	struct nft_step steps[] = {
		{.op = NFT_OP_META,     .key = is_in ? NFT_META_IIFNAME : NFT_META_OIFNAME },
		{ .op = NFT_OP_EQ,                    .len = 16 },
		{ .op = NFT_OP_COUNTER},
		{ .op = NFT_OP_ACCEPT},
	};

	snprintf((char *)steps[1].bytes, sizeof(steps[1].bytes), "%s", link);
	/* Behind what the administrator wrote into DOCKER-USER, but before its final return; in
	 * front of a chain that drops. */
	if (place->user && place->last_return)
		nft_add_rule_before(nft, place->family, place->table, place->chain, steps, 4,
				    COMMENT, place->last_return);
	else
		nft_add_rule(nft, place->family, place->table, place->chain, steps, 4, COMMENT,
			     place->user ? 0 : NFT_AT_HEAD);
}

/* The legacy tables of iptables cannot be reached by nf_tables messages. */
static const char *legacy_warning(struct arena *arena, const char *bridge)
{
	AUTO(fd) int fd = open("/proc/net/ip_tables_names", O_RDONLY | O_CLOEXEC);
	char names[256];
	ssize_t len = fd < 0 ? 0 : read(fd, names, sizeof(names) - 1);

	names[len > 0 ? len : 0] = '\0';
	if (!strstr(names, "filter"))
		return NULL;
	return arena_format(arena,
			    "rules of iptables-legacy may drop what is forwarded and cannot be "
			    "reached; if so: iptables-legacy -I FORWARD -i %s -j ACCEPT; "
			    "iptables-legacy -I FORWARD -o %s -j ACCEPT",
			    bridge, bridge);
}

int foreign_admit(struct nft *nft, struct arena *arena, const char *const *bridges, size_t count,
		  const char **out_warning, struct err *err)
{
	struct survey survey;
	struct err local = ERR_NONE;

	if (out_warning)
		*out_warning = count ? legacy_warning(arena, bridges[0]) : NULL;
	if (look(nft, arena, &survey, err) < 0)
		return -1;
	for (size_t i = 0; i < survey.place_count; i++) {
		const struct place *place;

		if (!survey.places[i].drops)
			continue;
		place = target_of(&survey, &survey.places[i]);
		for (size_t k = 0; k < count; k++) {
			if (!has_rule(&survey, place, bridges[k], true))
				add_rule(nft, place, bridges[k], true);
			if (!has_rule(&survey, place, bridges[k], false))
				add_rule(nft, place, bridges[k], false);
		}
	}
	if (!nft_pending(nft) || nft_commit(nft, 0, NULL, NULL, &local) == 0)
		return 0;
	if (local.code == ERR_DENIED && out_warning) {
		*out_warning = arena_format(arena,
					    "another firewall owns the rules that drop what "
					    "is forwarded; allow the link %s in it",
					    count ? bridges[0] : "");
		return 0;
	}
	*err = local;
	return err_wrap(err, "rules beside another firewall");
}

int foreign_withdraw(struct nft *nft, const char *const *bridges, size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct survey survey;

	if (look(nft, arena, &survey, err) < 0)
		return -1;
	for (size_t i = 0; i < survey.rule_count; i++)
		for (size_t k = 0; k < count; k++)
			if (strcmp(survey.rules[i].link, bridges[k]) == 0)
				nft_del_rule(nft, survey.rules[i].place->family,
					     survey.rules[i].place->table,
					     survey.rules[i].place->chain, survey.rules[i].handle,
					     NFT_MAY_MISS);
	return nft_pending(nft) ? nft_commit(nft, 0, NULL, NULL, err) : 0;
}
