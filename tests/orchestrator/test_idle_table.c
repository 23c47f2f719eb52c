/* tests/orchestrator/test_idle_table - mirrors orchestrator/idle_table: lines as kernels print
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/idle_table.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST                                                                                       \
	" 00000000:00000000 00:00000000 00000000     0        0 84620 1 0000000000000000 100 0\n"
#define V6(last) "0000000000000000000000000000" last

struct row {
	const char *text;
	bool is_udp, listening, connected;
};

static void sockets_of_port_80_are_judged_by_state_and_peer(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ "", false, false, false },
		{ HEAD, false, false, false },
		{ HEAD "   0: 00000000:0050 00000000:0000 0A" REST, false, true, false },
		{ HEAD "   0: 00000000:0051 00000000:0000 0A" REST, false, false, false },
		{ HEAD "   0: 0200A8C0:0050 0100A8C0:9C40 01" REST, false, false, true },
		{ HEAD "   0: 0100007F:0050 0100007F:9C40 01" REST, false, false, false }, /* a test of its own */
		{ HEAD "   0: 0200A8C0:0050 0100A8C0:9C40 06" REST, false, false, false }, /* TIME_WAIT */
		{ HEAD "   0: 0200A8C0:0050 0100A8C0:9C40 08" REST, false, false, false }, /* they have closed */
		{ HEAD "   0: 0200A8C0:9C40 0100A8C0:0050 01" REST, false, false, false }, /* its own, to others */
		{ HEAD "   0: " V6("0000") ":0050 " V6("0000") ":0000 0A" REST, false, true, false },
		{ HEAD "   0: 0000000000000000FFFF00000200A8C0:0050 0000000000000000FFFF00000100A8C0:9C40 01" REST,
		  false, false, true },
		{ HEAD "   0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:9C40 01" REST,
		  false, false, false },
		{ HEAD "   0: 00000000000000000000000001000000:0050 00000000000000000000000001000000:9C40 01" REST,
		  false, false, false },
		{ HEAD "   0: 00000000:0016 00000000:0000 0A" REST "   1: 00000000:0050 00000000:0000 0A" REST
		  "   2: 0200A8C0:0050 0100A8C0:9C40 01" REST, false, true, true },
		{ HEAD "   17: 00000000:0050 00000000:0000 07" REST, true, true, false },
		{ HEAD "   17: 00000000:0050 00000000:0000 07" REST, false, false, false },
		{ "rubbish\n\n::\n   0: xyz\n   1: 00000000:0050\n", false, false, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct idle_sockets sockets = { false, false };

		idle_table_read(rows[i].text, rows[i].is_udp, 80, &sockets);
		if (sockets.listening != rows[i].listening ||
		    sockets.connected != rows[i].connected)
			fail_msg("row %zu: listening %d, connected %d", i, sockets.listening,
				 sockets.connected);
	}
}

static void what_was_found_before_stays(void **state)
{
	struct idle_sockets sockets = { true, true };

	(void)state;
	idle_table_read(HEAD, false, 80, &sockets);
	assert_true(sockets.listening && sockets.connected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_of_port_80_are_judged_by_state_and_peer),
		cmocka_unit_test(what_was_found_before_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
