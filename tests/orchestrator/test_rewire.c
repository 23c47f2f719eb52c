/* tests/orchestrator/test_rewire - mirrors orchestrator/rewire: the mark in a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/rewire.h"

/* "front=eth0 back=eth1": addresses 10.0.0.N, host ends svN. */
static struct slot_net *net_on(const char *text)
{
	struct slot_net *net = slot_net_new();
	char *copy = arena_strdup(net->arena, text), *rest = copy, *word;

	for (unsigned n = 0; (word = strsep(&rest, " ")) != NULL && *word; n++) {
		struct slot_link *link =
			arena_grow(net->arena, &net->links, &net->link_count, sizeof(*link));
		struct attach_interface *interface = arena_grow(
			net->arena, &net->interfaces, &net->interface_count, sizeof(*interface));
		char *sign = strchr(word, '=');

		*sign = '\0';
		link->network = word;
		link->interface = interface->name = sign + 1;
		snprintf(link->ip4, sizeof(link->ip4), "10.0.0.%u", n);
		snprintf(interface->host_name, sizeof(interface->host_name), "sv%s", word);
		interface->kind = n ? ATTACH_MACVLAN : ATTACH_VETH;
	}
	return net;
}

static void note(struct record *record, const char *from, const char *to)
{
	struct slot_net *former = net_on(from), *next = net_on(to);

	rewire_note(record, former, next);
	slot_net_free(former);
	slot_net_free(next);
}

static void assert_former(const struct record *record, const char *expected)
{
	struct slot_net *net = rewire_former(record);
	const char *text = "";

	assert_non_null(net);
	for (size_t i = 0; i < net->link_count; i++)
		text = arena_format(net->arena, "%s%s%s=%s", text, i ? " " : "",
				    net->links[i].network, net->links[i].interface);
	assert_string_equal(text, expected);
	assert_int_equal(net->interface_count, net->link_count);
	slot_net_free(net);
}

static void a_record_without_a_mark_has_nothing_to_do(void **state)
{
	struct record record = { .info = xstrdup("{\"ports\":[]}") };

	(void)state;
	assert_null(rewire_former(&record));
	rewire_done(&record);
	assert_null(rewire_former(&record));
	free(record.info);
}

static void a_mark_tells_what_links_files_and_leases_need(void **state)
{
	struct record record = { .info = xstrdup("{\"kept\":1}") };
	struct slot_net *former = net_on("front=eth0 lan=eth1"), *to = net_on("lan=eth1"), *read;

	(void)state;
	former->internal_only = true;
	snprintf(former->host4, sizeof(former->host4), "10.0.0.254");
	rewire_note(&record, former, to);
	read = rewire_former(&record);
	assert_true(read->internal_only);
	assert_string_equal(read->host4, "10.0.0.254");
	assert_string_equal(read->host6, "");
	assert_int_equal(read->link_count, 2);
	assert_string_equal(read->links[1].ip4, "10.0.0.1");
	assert_string_equal(read->links[1].ip6, "");
	assert_string_equal(read->interfaces[0].name, "eth0");
	assert_string_equal(read->interfaces[0].host_name, "svfront");
	assert_int_equal(read->interfaces[0].kind, ATTACH_VETH);
	assert_int_equal(read->interfaces[1].kind, ATTACH_MACVLAN);
	slot_net_free(read);
	slot_net_free(former);
	slot_net_free(to);
	rewire_done(&record);
	assert_string_equal(record.info, "{\"kept\":1}");
	free(record.info);
}

static void an_older_mark_counts_unless_it_is_joined_again(void **state)
{
	struct record record = { .info = NULL };

	(void)state;
	note(&record, "a=eth0 b=eth1 c=eth2", "b=eth1 c=eth2");
	note(&record, "b=eth1 c=eth2", "c=eth2"); /* a has not gone yet */
	assert_former(&record, "b=eth1 c=eth2 a=eth0");
	note(&record, "c=eth2", "c=eth2 a=eth0"); /* it comes back */
	assert_former(&record, "c=eth2 b=eth1");
	free(record.info);
}

static void what_is_on_no_network_has_a_mark_too(void **state)
{
	struct record record = { .info = NULL };

	(void)state;
	note(&record, "", "a=eth0");
	assert_former(&record, "");
	free(record.info);
}

static void a_damaged_mark_is_read_as_far_as_it_goes(void **state)
{
	struct record record = { .info = xstrdup(
					 "{\"rewires\":{\"links\":[{},5,{\"kind\":\"veth\"},"
					 "{\"kind\":\"strange\",\"network\":\"a\"}]}}") };
	struct slot_net *net = rewire_former(&record);

	(void)state;
	assert_non_null(net);
	assert_int_equal(net->link_count, 4);
	assert_string_equal(net->links[3].network, "a");
	assert_int_equal(net->interface_count, 1);
	assert_string_equal(net->interfaces[0].host_name, "");
	slot_net_free(net);
	free(record.info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_without_a_mark_has_nothing_to_do),
		cmocka_unit_test(a_mark_tells_what_links_files_and_leases_need),
		cmocka_unit_test(an_older_mark_counts_unless_it_is_joined_again),
		cmocka_unit_test(what_is_on_no_network_has_a_mark_too),
		cmocka_unit_test(a_damaged_mark_is_read_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
