/* tests/netplug/test_dns - mirrors netplug/dns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netplug/dns.h"
#include "tests/netplug/query_of_test.h"
#include "tests/netplug/zone_of_test.h"

#define NONE 99u /* rcode of a row that is forwarded */

static const struct {
	const char *asker, *name;
	uint16_t type;
	unsigned rcode;
	const char *text;
} cases[] = {
  /* clang-format off */
	{ "web.1", "db",          T_A,    DNS_NOERROR, "172.20.0.5" },
	{ "web.1", "DB.",         T_A,    DNS_NOERROR, "172.20.0.5" },
	{ "web.1", "Db.Shop_Default", T_A, DNS_NOERROR, "172.20.0.5" },
	{ "web.1", "db",          T_AAAA, DNS_NOERROR, "" }, /* known, no such record: no NXDOMAIN */
	{ "web.1", "db",          T_MX,   DNS_NOERROR, "" },
	{ "web.1", "db",          65,     DNS_NOERROR, "" },
	{ "db.1",  "www",         T_ANY,  DNS_NOERROR, "172.20.0.2 fd00::2" },
	{ "db.1",  "shop-web-2",  T_AAAA, DNS_NOERROR, "fd00::3" },
	{ "db.1",  "inside",      T_A,    NONE, NULL },
	{ "web.1", "nowhere",     T_A,    NONE, NULL },
	{ "web.1", "db.example.org", T_A, NONE, NULL },
	{ "web.1", "",            2,      NONE, NULL },
	{ "web.1", "5.0.20.172.in-addr.arpa", T_PTR, DNS_NOERROR, "shop-db-1.shop_default" },
	{ "web.1", "5.0.20.172.in-addr.arpa", T_A,   DNS_NOERROR, "" },
	{ "web.1", "9.0.20.172.in-addr.arpa", T_PTR, DNS_NXDOMAIN, "" },
	{ "db.1",  "2.0.21.172.in-addr.arpa", T_PTR, DNS_NXDOMAIN, "" },
	{ "web.1", "8.8.8.8.in-addr.arpa",    T_PTR, NONE, NULL },
	{ "web.1", "0.20.172.in-addr.arpa",   T_PTR, NONE, NULL },
	{ "web.1", "256.0.20.172.in-addr.arpa", T_PTR, NONE, NULL },
	{ "web.1", "1.5.0.20.172.in-addr.arpa", T_PTR, NONE, NULL },
	{ "web.1", "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", T_PTR,
	  DNS_NOERROR, "shop-web-1.shop_default" },
	{ "web.1", "x.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", T_PTR,
	  NONE, NULL },
  /* clang-format on */
};

static void names_of_ours_are_answered_and_others_forwarded(void **state)
{
	AUTO(zone_index) struct zone_index *zone = zone_of_test(false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int edns = 0; edns < 2; edns++) {
			const struct dns_asker asker = {
				.zone = zone, .number = zone_index_asker(zone, cases[i].asker)
			};
			uint8_t query[600], out[DNS_UDP_MAX];
			struct dns_question question;
			struct answer answer;
			size_t len = query_make(query, 0x1234, cases[i].name, cases[i].type,
						edns ? 4096 : 0),
			       out_len = 0;
			enum dns_verdict verdict = dns_answer(&asker, query, len, &question, out,
							      sizeof(out), &out_len);

			if (cases[i].rcode == NONE) {
				assert_int_equal(verdict, DNS_FORWARD);
				continue;
			}
			assert_int_equal(verdict, DNS_ANSWER);
			assert_true(answer_read(out, out_len, &answer));
			assert_int_equal(answer.rcode, cases[i].rcode);
			assert_string_equal(answer.text, cases[i].text);
			assert_true(answer.is_authoritative);
			assert_int_equal(answer.has_edns, edns);
			assert_true(dns_is_answer_to(out, out_len, query, question.question_end));
			assert_int_equal(out[3] & 0x80, 0x80); /* RA */
			assert_int_equal(out[2] & 1, 1);       /* RD copied */
		}
}

static enum dns_verdict ask_raw(const uint8_t *query, size_t len, struct answer *answer)
{
	static struct zone_index *zone;
	uint8_t out[DNS_UDP_MAX];
	struct dns_question question;
	size_t out_len = 0;
	enum dns_verdict verdict;

	zone = zone_of_test(false);
	verdict = dns_answer(&(struct dns_asker){ .zone = zone }, query, len, &question, out,
			     sizeof(out), &out_len);
	zone_index_free(zone);
	if (verdict == DNS_ANSWER)
		assert_true(answer_read(out, out_len, answer));
	return verdict;
}

static void queries_out_of_order_get_their_code(void **state)
{
	struct answer answer;
	uint8_t query[600];
	size_t len = query_make(query, 1, "db", T_A, 1400);

	(void)state;
	assert_int_equal(ask_raw(query, 11, &answer), DNS_DROP);
	for (size_t cut = 12; cut < len; cut++) {
		assert_int_equal(ask_raw(query, cut, &answer), DNS_ANSWER);
		assert_int_equal(answer.rcode, DNS_FORMERR);
	}
	query[2] |= 0x80; /* an answer: never answered */
	assert_int_equal(ask_raw(query, len, &answer), DNS_DROP);
	query[2] = 0x28 | 1; /* UPDATE */
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_NOTIMP);
	query[2] = 1;
	query[5] = 2;
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	query[5] = 0;
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	query[5] = 1;
	query[12 + 4 + 2 + 1] = 3; /* class CHAOS */
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_REFUSED);
	query[12 + 4 + 2 + 1] = 1;
	query[len - 5] = 1; /* EDNS version 1 */
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_BADVERS);
	assert_true(answer.has_edns);
}

static void hostile_names_are_malformed_or_forwarded(void **state)
{
	struct answer answer;
	uint8_t query[600];
	size_t len = query_make(query, 1, "db", T_A, 0);

	(void)state;
	query[12] = 0xc0; /* a pointer to itself */
	query[13] = 12;
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	len = query_make(query, 1, "db", T_A, 0);
	query[12] = 64; /* a label too long */
	assert_int_equal(ask_raw(query, len, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	memset(query + 12, 1, 300); /* 150 labels of one byte: above 255 */
	query[312] = 0;
	assert_int_equal(ask_raw(query, 317, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	len = query_make(query, 1, "web1inside", T_A, 0);
	query[12 + 4] = '.'; /* a dot inside a label is no name of ours */
	assert_int_equal(ask_raw(query, len, &answer), DNS_FORWARD);
	len = query_make(query, 1, "db", T_A, 1400);
	memcpy(query + len, query + len - 11, 11); /* two OPT records */
	query[11] = 2;
	assert_int_equal(ask_raw(query, len + 11, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
	query[6] = 0xff; /* thousands of records promised */
	assert_int_equal(ask_raw(query, len + 11, &answer), DNS_ANSWER);
	assert_int_equal(answer.rcode, DNS_FORMERR);
}

/* A zone whose service "all" has 200 replicas. */
static struct zone_index *many(void)
{
	static char addresses[200][20], names[200][20];
	static const char *lists[200];
	static struct zone_attachment attachments[200];
	static struct zone_endpoint endpoints[200];
	const struct zone_network network = { .name = "n" };
	const struct zone zone = { .networks = &network,
				   .network_count = 1,
				   .endpoints = endpoints,
				   .endpoint_count = 200 };
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;
	size_t len;

	for (int i = 0; i < 200; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "10.0.0.%d", i + 1);
		snprintf(names[i], sizeof(names[i]), "all.%d", i);
		lists[i] = addresses[i];
		attachments[i] = (struct zone_attachment){ "n", &lists[i], 1, NULL, 0 };
		endpoints[i] = (struct zone_endpoint){ .slot = names[i],
						       .service = "all",
						       .container = names[i],
						       .live = true,
						       .attachments = &attachments[i],
						       .attachment_count = 1 };
	}
	text = zone_text(&zone, &len);
	return zone_index_parse(text, len, &err);
}

static void long_answers_are_cut_on_a_record_and_whole_over_tcp(void **state)
{
	static const struct {
		uint16_t udp_size;
		size_t limit, records;
		bool is_tcp;
	} limits[] = {
		{0,     512,             (512 - 12 - 9) / 16,              false},
		{ 100,  512,             (512 - 12 - 9 - 11) / 16,         false}, /* below 512 counts as 512 */
		{ 1000, 1000,            (1000 - 12 - 9 - 11) / 16,        false},
		{ 4096, DNS_UDP_MAX,     (DNS_UDP_MAX - 12 - 9 - 11) / 16, false},
		{ 0,    DNS_MESSAGE_MAX, 200,                              true },
	};
	AUTO(zone_index) struct zone_index *zone = many();
	static uint8_t out[DNS_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const struct dns_asker asker = { .zone = zone, .is_tcp = limits[i].is_tcp };
		struct dns_question question;
		struct answer answer;
		uint8_t query[100];
		size_t len = query_make(query, 9, "all", T_A, limits[i].udp_size), out_len;

		assert_int_equal(dns_answer(&asker, query, len, &question, out,
					    limits[i].is_tcp ? DNS_MESSAGE_MAX : DNS_UDP_MAX,
					    &out_len),
				 DNS_ANSWER);
		assert_true(out_len <= limits[i].limit);
		assert_true(answer_read(out, out_len, &answer));
		assert_int_equal(answer.answers, limits[i].records);
		assert_int_equal(answer.is_truncated, !limits[i].is_tcp);
	}
}

static void every_replica_is_first_equally_often(void **state)
{
	AUTO(zone_index) struct zone_index *zone = many();
	unsigned first[256] = { 0 };

	(void)state;
	for (uint32_t turn = 0; turn < 400; turn++) {
		struct dns_question question;
		uint8_t query[100], out[DNS_UDP_MAX];
		size_t len = query_make(query, 9, "all", T_A, 0), out_len;

		dns_answer(&(struct dns_asker){ .zone = zone, .turn = turn }, query, len, &question,
			   out, sizeof(out), &out_len);
		first[out[12 + 9 + 15]]++;
	}
	for (int i = 1; i <= 200; i++)
		assert_int_equal(first[i], 2);
}

static void refusals_and_cuts_repeat_the_question(void **state)
{
	uint8_t query[600], out[DNS_UDP_MAX];
	struct dns_question question;
	struct answer answer;
	enum dns_rcode rcode;
	size_t len = query_make(query, 77, "example.org", T_A, 1232), out_len;

	(void)state;
	assert_int_equal(dns_read(query, len, &question, &rcode), DNS_FORWARD);
	assert_int_equal(dns_limit(&question), 1232);
	out_len = dns_refuse(query, &question, DNS_SERVFAIL, out, sizeof(out));
	assert_true(answer_read(out, out_len, &answer));
	assert_int_equal(answer.rcode, DNS_SERVFAIL);
	assert_false(answer.is_authoritative);
	assert_true(dns_is_answer_to(out, out_len, query, question.question_end));
	out_len = dns_truncated(query, &question, out, sizeof(out));
	assert_true(answer_read(out, out_len, &answer));
	assert_true(answer.is_truncated);
	out[1] ^= 1; /* another id */
	assert_false(dns_is_answer_to(out, out_len, query, question.question_end));
	out[1] ^= 1;
	out[14] = 'X' ^ out[14]; /* another name */
	assert_false(dns_is_answer_to(out, out_len, query, question.question_end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_ours_are_answered_and_others_forwarded),
		cmocka_unit_test(queries_out_of_order_get_their_code),
		cmocka_unit_test(hostile_names_are_malformed_or_forwarded),
		cmocka_unit_test(long_answers_are_cut_on_a_record_and_whole_over_tcp),
		cmocka_unit_test(every_replica_is_first_equally_often),
		cmocka_unit_test(refusals_and_cuts_repeat_the_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
