/* tests/fuzz/fuzz_netplug_dns - a container's packet: never a crash, always an answer that fits and
 * repeats the question, the same whatever surrounds it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netplug/dns.h"
#include "tests/netplug/query_of_test.h"
#include "tests/netplug/zone_of_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dns_asker *asker, const uint8_t *query, size_t len)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct dns_question question;
	struct answer answer;
	size_t room = asker->is_tcp ? DNS_MESSAGE_MAX : DNS_UDP_MAX, out_len = 0;
	enum dns_verdict verdict = dns_answer(asker, query, len, &question, out, room, &out_len);

	if (verdict == DNS_FORWARD) { /* what netd does with it then */
		if (!question.question_end || question.question_end > len)
			abort();
		out_len = dns_refuse(query, &question, DNS_SERVFAIL, out, DNS_UDP_MAX);
		if (!answer_read(out, out_len, &answer) || answer.rcode != DNS_SERVFAIL)
			abort();
		out_len = dns_truncated(query, &question, out, DNS_UDP_MAX);
		if (!answer_read(out, out_len, &answer) || !answer.is_truncated)
			abort();
		dns_is_answer_to(query, len, out, question.question_end);
		return;
	}
	if (verdict == DNS_DROP) {
		if (out_len)
			abort();
		return;
	}
	if (out_len < DNS_HEADER || out_len > room || !answer_read(out, out_len, &answer))
		abort();
	if (!asker->is_tcp && question.question_end && out_len > dns_limit(&question))
		abort();
	if (question.question_end && !dns_is_answer_to(out, out_len, query, question.question_end))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone_index *zone;

	if (!zone)
		zone = zone_of_test(false);
	for (int asker = -1; asker < 3; asker++)
		for (int tcp = 0; tcp < 2; tcp++)
			check(&(struct dns_asker){ .zone = zone,
						   .number = asker,
						   .is_tcp = tcp,
						   .turn = (uint32_t)size },
			      data, size);
	return 0;
}
