/* images/exchange_body - the bytes of an answer: those that were asked for, each once, in order.
 *
 * Owns: the count of delivered bytes, what a range or a length that does not fit means.
 * May not touch: the next step (images/exchange), what the bytes mean.
 */
#include <string.h>

#include "base/alloc.h"
#include "images/exchange_state.h"

void exchange_take_header(void *ctx, long status, const char *line, size_t len)
{
	(void)status;
	answer_take_header(ctx, line, len);
}

static int refuse(struct exchange *exchange, enum err_code code, const char *text, uint64_t got,
		  uint64_t wanted)
{
	err_set(&exchange->stop_err, code, "%s: %llu bytes, wanted %llu", text,
		(unsigned long long)got, (unsigned long long)wanted);
	return FETCH_STOP;
}

/* The body is about to come: does it continue where we are, and is it as long as it should be? */
int exchange_headers_end(void *ctx, long status, int64_t content_length)
{
	struct exchange *exchange = ctx;
	const struct exchange_spec *spec = &exchange->spec;
	uint64_t first = 0, last = 0, total = 0, rest = spec->size_bytes;

	exchange->status = status;
	if (!spec->on_data || (status != 200 && status != 206))
		return 0;
	if (status == 206) {
		if (!proto_content_range(exchange->head.content_range, &first, &last, &total) ||
		    first != exchange->received ||
		    (total != UINT64_MAX && spec->size_bytes != UINT64_MAX &&
		     total != spec->size_bytes)) {
			exchange->range_is_bad = true;
			return FETCH_STOP;
		}
		rest = rest == UINT64_MAX ? rest : rest - first;
	} else {
		exchange->skip = exchange->received;
	}
	if (content_length >= 0 && rest != UINT64_MAX && (uint64_t)content_length != rest &&
	    strcmp(spec->method, "HEAD") != 0)
		return refuse(exchange, ERR_INVALID, "the registry announces another size",
			      (uint64_t)content_length, rest);
	return 0;
}

static int collect_body(struct exchange *exchange, const char *bytes, size_t len)
{
	if (exchange->body_len + len > exchange->spec.body_max_bytes)
		return refuse(exchange, ERR_INVALID, "the answer is too large",
			      exchange->body_len + len, exchange->spec.body_max_bytes);
	exchange->body = xrealloc(exchange->body, exchange->body_len + len + 1, 1);
	memcpy(exchange->body + exchange->body_len, bytes, len);
	exchange->body_len += len;
	exchange->body[exchange->body_len] = '\0';
	return 0;
}

static int deliver(struct exchange *exchange, const char *bytes, size_t len)
{
	const struct exchange_spec *spec = &exchange->spec;
	size_t known = exchange->skip < len ? (size_t)exchange->skip : len;
	int verdict;

	if (spec->size_bytes != UINT64_MAX && len - known > spec->size_bytes - exchange->received)
		return refuse(exchange, ERR_INVALID, "the registry sends more than it should",
			      exchange->received + len - known, spec->size_bytes);
	if (len > known) {
		verdict = spec->on_data(spec->ctx, bytes + known, len - known);
		if (verdict == FETCH_STOP)
			exchange->was_stopped = true;
		if (verdict != 0)
			return verdict;
	}
	exchange->skip -= known;
	exchange->received += len - known;
	return 0;
}

void exchange_body_sent(void *ctx, uint64_t bytes)
{
	struct exchange *exchange = ctx;

	if (exchange->spec.on_sent)
		exchange->spec.on_sent(exchange->spec.ctx, bytes);
}

int exchange_take_data(void *ctx, const char *bytes, size_t len)
{
	struct exchange *exchange = ctx;
	enum proto_event event = proto_event_of_status(exchange->status);

	if (event == PROTO_REDIRECT)
		return 0;
	if (event != PROTO_DONE)
		return answer_take_error_body(exchange, bytes, len);
	return exchange->spec.on_data ? deliver(exchange, bytes, len)
				      : collect_body(exchange, bytes, len);
}
