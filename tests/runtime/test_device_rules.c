/* tests/runtime/test_device_rules - mirrors runtime/device_rules: the program is run by a small
 * interpreter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "runtime/device_rules.h"

/* The few instructions that such programs have. -1 for any other. */
static int interpret(const struct bpf_insn *program, size_t count, const uint32_t ctx[3])
{
	uint64_t reg[11] = { 0 };

	for (size_t at = 0; at < count; at++) {
		const struct bpf_insn *i = &program[at];
		uint64_t *dst = &reg[i->dst_reg], src = reg[i->src_reg];
		bool jump = false;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			*dst = ctx[i->off / 4];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*dst = (uint32_t)*dst & (uint32_t)i->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*dst = (uint32_t)*dst >> i->imm;
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*dst = (uint32_t)src;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*dst = (uint64_t)i->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			jump = *dst != (uint64_t)i->imm;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = *dst == (uint64_t)i->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_X:
			jump = *dst != src;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)reg[0];
		default:
			return -1;
		}
		if (jump)
			at += (size_t)i->off;
	}
	return -1;
}

static int ask(const struct config_device_rule *rules, size_t count, char type, uint32_t major,
	       uint32_t minor, uint32_t access)
{
	struct config_resources resources = { .devices =
						      (struct config_device_rule *)(uintptr_t)rules,
					      .device_count = count };
	AUTO(free) struct config_device_rule *complete = NULL;
	AUTO(free) struct bpf_insn *program = NULL;
	size_t n = device_rules_complete(&resources, &complete);
	size_t length = device_rules_program(complete, n, &program);
	uint32_t ctx[3] = { (access << 16) | (type == 'b' ? 1u : 2u), major, minor };

	return interpret(program, length, ctx);
}

#define ALL (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)

static const struct config_device_rule deny_all = { false, 'a', -1, -1, ALL };

static void default_devices_stay_allowed_when_all_is_denied(void **state)
{
	(void)state;
	assert_int_equal(ask(&deny_all, 1, 'c', 1, 3, DEVICE_READ | DEVICE_WRITE), 1);
	assert_int_equal(ask(&deny_all, 1, 'c', 136, 7, ALL), 1);
	assert_int_equal(ask(&deny_all, 1, 'b', 8, 0, DEVICE_READ), 0);
	assert_int_equal(ask(&deny_all, 1, 'b', 8, 0, DEVICE_MKNOD), 1);
	assert_int_equal(ask(&deny_all, 1, 'c', 1, 1, DEVICE_READ), 0);
	assert_int_equal(ask(NULL, 0, 'c', 1, 1, DEVICE_READ), 0); /* a missing list denies */
}

static void the_last_rule_that_fits_decides(void **state)
{
	const struct config_device_rule rules[] = {
		deny_all,
		{true,   'c', 10, -1,  ALL         },
		{ false, 'c', 10, 200, DEVICE_WRITE},
	};

	(void)state;
	assert_int_equal(ask(rules, 3, 'c', 10, 7, ALL), 1);
	assert_int_equal(ask(rules, 3, 'c', 10, 200, DEVICE_READ), 1);
	assert_int_equal(ask(rules, 3, 'c', 10, 200, DEVICE_READ | DEVICE_WRITE), 0);
	assert_int_equal(ask(rules, 3, 'b', 10, 7, DEVICE_READ), 0);
}

static void an_allow_must_cover_all_that_is_asked(void **state)
{
	const struct config_device_rule rules[] = {
		deny_all, {true, 'b', 8, 1, DEVICE_READ}
	};

	(void)state;
	assert_int_equal(ask(rules, 2, 'b', 8, 1, DEVICE_READ), 1);
	assert_int_equal(ask(rules, 2, 'b', 8, 1, DEVICE_READ | DEVICE_WRITE), 0);
}

static void allow_all_allows(void **state)
{
	const struct config_device_rule rules[] = {
		deny_all, {true, 'a', -1, -1, ALL}
	};

	(void)state;
	assert_int_equal(ask(rules, 2, 'b', 8, 1, ALL), 1);
}

static void a_later_deny_all_forgets_what_was_allowed(void **state)
{
	const struct config_device_rule rules[] = {
		{true, 'a', -1, -1, ALL},
                deny_all
	};

	(void)state;
	assert_int_equal(ask(rules, 2, 'b', 8, 1, DEVICE_READ), 0);
	assert_int_equal(ask(rules, 2, 'c', 1, 5, DEVICE_READ), 1);
}

static bool is_default(const struct config_device_rule *rule)
{
	return rule->type == 'c' && rule->major == 1 && rule->minor == 3;
}

/* Where the null device of the defaults stands in the completed list. */
static size_t place_of_default(const struct config_device_rule *rules, size_t count)
{
	struct config_resources resources = { .devices =
						      (struct config_device_rule *)(uintptr_t)rules,
					      .device_count = count };
	AUTO(free) struct config_device_rule *complete = NULL;
	size_t n = device_rules_complete(&resources, &complete), at = 0;

	while (at < n && !is_default(&complete[at]))
		at++;
	assert_true(at < n && device_rules_deny_first(complete, n));
	return at;
}

static void configs_allows_stand_first_unless_something_is_denied_later(void **state)
{
	const struct config_device_rule allows[] = {
		deny_all,
		{true,  'c', 10, 229, ALL        },
		{ true, 'b', 8,  20,  DEVICE_READ},
	};
	const struct config_device_rule denies[] = {
		deny_all,
		{true,   'c', 10, 229, ALL},
		{ false, 'c', 1,  3,   ALL},
	};

	(void)state;
	assert_int_equal(place_of_default(allows, 3), 3 + 2); /* behind ours and two for mknod */
	assert_int_equal(place_of_default(denies, 3), 1 + 2);
	assert_int_equal(ask(allows, 3, 'b', 8, 20, DEVICE_READ), 1);
	assert_int_equal(ask(allows, 3, 'c', 1, 3, ALL), 1);
	assert_int_equal(ask(denies, 3, 'c', 1, 3, DEVICE_READ), 0);
}

static void lines_are_those_of_the_devices_controller(void **state)
{
	const struct config_device_rule rule = { true, 'c', 136, -1, DEVICE_READ | DEVICE_MKNOD };
	char line[80];

	(void)state;
	device_rule_line(&rule, line, sizeof(line));
	assert_string_equal(line, "c 136:* rm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_devices_stay_allowed_when_all_is_denied),
		cmocka_unit_test(the_last_rule_that_fits_decides),
		cmocka_unit_test(an_allow_must_cover_all_that_is_asked),
		cmocka_unit_test(allow_all_allows),
		cmocka_unit_test(a_later_deny_all_forgets_what_was_allowed),
		cmocka_unit_test(configs_allows_stand_first_unless_something_is_denied_later),
		cmocka_unit_test(lines_are_those_of_the_devices_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
