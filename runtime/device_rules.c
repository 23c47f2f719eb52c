/* runtime/device_rules - which devices a container may use.
 *
 * Owns: the default devices, the order of rules, the program. May not touch: cgroups.
 */
#include "runtime/device_rules.h"

#include <string.h>

#include "base/alloc.h"

#define ALL (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)

/* clang-format off */
static const struct config_device_rule defaults[] = {
	{ true, 'c', -1, -1, DEVICE_MKNOD }, { true, 'b', -1, -1, DEVICE_MKNOD },
	{ true, 'c', 1, 3, ALL },  { true, 'c', 1, 5, ALL },  { true, 'c', 1, 7, ALL },
	{ true, 'c', 1, 8, ALL },  { true, 'c', 1, 9, ALL },  { true, 'c', 5, 0, ALL },
	{ true, 'c', 5, 2, ALL },  { true, 'c', 136, -1, ALL },
};
/* clang-format on */

#define DEFAULT_COUNT (sizeof(defaults) / sizeof(defaults[0]))

static bool is_all(const struct config_device_rule *rule)
{
	return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->access == ALL;
}

bool device_rules_deny_first(const struct config_device_rule *rules, size_t count)
{
	return count && is_all(&rules[0]) && !rules[0].allow;
}

/* When all that config adds is allowed, the order does not matter, and config's come first: the
 * kernel's list then reads as config does. */
static bool only_allows(const struct config_device_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!rules[i].allow)
			return false;
	return true;
}

static void defaults_last(struct config_device_rule *rules, size_t count)
{
	size_t own = count - DEFAULT_COUNT;

	memmove(rules, rules + DEFAULT_COUNT, own * sizeof(*rules));
	memcpy(rules + own, defaults, sizeof(defaults));
}

size_t device_rules_complete(const struct config_resources *r, struct config_device_rule **out)
{
	struct config_device_rule *rules =
		xcalloc(r->device_count + DEFAULT_COUNT + 1, sizeof(*rules));
	size_t count = 0;
	bool denies = !r->device_count;

	for (size_t i = 0; i < r->device_count; i++)
		if (is_all(&r->devices[i]))
			denies = !r->devices[i].allow;
	if (denies) {
		rules[count++] = (struct config_device_rule){ false, 'a', -1, -1, ALL };
		memcpy(rules + count, defaults, sizeof(defaults));
		count += DEFAULT_COUNT;
	}
	for (size_t i = 0; i < r->device_count; i++) {
		if (is_all(&r->devices[i]) && !r->devices[i].allow && denies && i == 0)
			continue; /* is there already, before the defaults */
		if (is_all(&r->devices[i]) && !r->devices[i].allow && denies) {
			/* A later deny-all: only what comes after it and the defaults hold. */
			count = 1 + DEFAULT_COUNT;
			continue;
		}
		rules[count++] = r->devices[i];
	}
	if (denies && only_allows(rules + 1 + DEFAULT_COUNT, count - 1 - DEFAULT_COUNT))
		defaults_last(rules + 1, count - 1);
	*out = rules;
	return count;
}

struct program {
	struct bpf_insn *at;
	size_t count;
};

static void emit(struct program *p, unsigned code, unsigned dst, unsigned src, int off, int imm)
{
	struct bpf_insn *insn = xgrow(&p->at, &p->count, sizeof(*insn));

	insn->code = (__u8)code;
	insn->dst_reg = dst & 0xf;
	insn->src_reg = src & 0xf;
	insn->off = (__s16)off;
	insn->imm = imm;
}

/* r2 type, r3 access, r4 major, r5 minor: loaded once from struct bpf_cgroup_dev_ctx in r1. */
static void emit_load(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
}

/* Falls through to the next rule when it does not fit: the jumps are patched when its length is
 * known. */
static void emit_rule(struct program *p, const struct config_device_rule *rule)
{
	size_t start = p->count;

	if (rule->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		     rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (rule->access != ALL) {
		/* An allow must cover all that is asked; a deny hits when any of it is. */
		emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (int)rule->access);
		if (rule->allow)
			emit(p, BPF_JMP | BPF_JNE | BPF_X, 1, 3, 0, 0);
		else
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
	}
	if (rule->major >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int)rule->major);
	if (rule->minor >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int)rule->minor);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule->allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = start; i < p->count; i++)
		if (BPF_CLASS(p->at[i].code) == BPF_JMP && BPF_OP(p->at[i].code) != BPF_EXIT)
			p->at[i].off = (__s16)(p->count - i - 1);
}

size_t device_rules_program(const struct config_device_rule *rules, size_t count,
			    struct bpf_insn **out)
{
	struct program program = { NULL, 0 };
	bool fallback = true; /* no rule fits: what cgroups do without a program */

	emit_load(&program);
	for (size_t i = count; i-- > 0;) {
		if (is_all(&rules[i])) {
			fallback = rules[i].allow;
			break; /* the rules before it cannot be reached */
		}
		emit_rule(&program, &rules[i]);
	}
	emit(&program, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, fallback);
	emit(&program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	*out = program.at;
	return program.count;
}
