/* images/proto - the state table of a registry request.
 *
 * Owns: how often, how long, where to next. May not touch: sockets, the clock, error texts.
 */
#include "images/proto.h"

#include <string.h>
#include <time.h>

#include "base/num.h"
#include "base/text.h"

#define ATTEMPTS_MAX       6  /* without progress */
#define REFUSED_MAX        4  /* nobody listens there: a person waits for the answer */
#define ALL_ATTEMPTS_MAX   20 /* of one request, whatever the progress */
#define REDIRECTS_MAX      10
#define TARGET_LOSSES_MAX  3
#define WAIT_UNIT_MS       500u
#define WAIT_MAX_MS        30000u
#define RETRY_AFTER_MAX_MS 120000
#define PROGRESS_BYTES     (1u << 20) /* resets the count of attempts */

typedef enum proto_step (*move_fn)(struct proto *proto, const struct proto_news *news);

static enum proto_step over(struct proto *proto, enum proto_step step)
{
	proto->state = PROTO_OVER;
	return step;
}

static enum proto_step succeed(struct proto *proto, const struct proto_news *news)
{
	(void)news;
	return over(proto, PROTO_SUCCEED);
}

static enum proto_step fail(struct proto *proto, const struct proto_news *news)
{
	(void)news;
	return over(proto, PROTO_FAIL);
}

static enum proto_step next_endpoint(struct proto *proto)
{
	proto->endpoints_left--;
	proto->attempts = proto->redirects = proto->refreshes = proto->target_losses = 0;
	proto->state = PROTO_AT_ORIGIN;
	return PROTO_NEXT_ENDPOINT;
}

/* A mirror that does not have it, or will not give it, is only the first that was asked. */
static enum proto_step elsewhere(struct proto *proto, const struct proto_news *news)
{
	return proto->endpoints_left ? next_endpoint(proto) : fail(proto, news);
}

/* Doubles from half a second, with full jitter. */
static uint64_t backoff_ms(const struct proto *proto, uint32_t dice)
{
	uint64_t ceiling = WAIT_UNIT_MS;

	for (unsigned i = 1; i < proto->attempts && ceiling < WAIT_MAX_MS; i++)
		ceiling *= 2;
	if (ceiling > WAIT_MAX_MS)
		ceiling = WAIT_MAX_MS;
	return dice % (ceiling + 1);
}

static enum proto_step wait(struct proto *proto, const struct proto_news *news)
{
	unsigned max = news->refused_connection ? REFUSED_MAX : ATTEMPTS_MAX;

	if (news->progress_bytes >= proto->progress_mark + PROGRESS_BYTES) {
		proto->progress_mark = news->progress_bytes;
		proto->attempts = 0;
	}
	proto->attempts++;
	proto->total_attempts++;
	if (news->retry_after_ms > RETRY_AFTER_MAX_MS)
		return over(proto, PROTO_FAIL_RATE);
	if (proto->attempts >= max || proto->total_attempts >= ALL_ATTEMPTS_MAX)
		return fail(proto, news);
	proto->wait_for = proto->state;
	proto->wait_ms = news->retry_after_ms >= 0 ? (uint64_t)news->retry_after_ms
						   : backoff_ms(proto, news->dice);
	proto->state = PROTO_WAITING;
	return PROTO_WAIT;
}

static enum proto_step wait_or_elsewhere(struct proto *proto, const struct proto_news *news)
{
	return proto->endpoints_left ? next_endpoint(proto) : wait(proto, news);
}

static enum proto_step follow(struct proto *proto, const struct proto_news *news)
{
	if (!proto->may_redirect || ++proto->redirects > REDIRECTS_MAX)
		return fail(proto, news);
	proto->state = PROTO_AT_TARGET;
	return PROTO_SEND_TARGET;
}

/* The first challenge is answered; a stale token is renewed, without progress once only. */
static enum proto_step authorize(struct proto *proto, const struct proto_news *news)
{
	if (news->progress_bytes > proto->refresh_mark) {
		proto->refresh_mark = news->progress_bytes;
		proto->refreshes = 0;
	}
	if ((news->token_was_refused && !news->token_is_stale) || proto->refreshes >= 2)
		return elsewhere(proto, news);
	proto->refreshes++;
	proto->state = PROTO_AT_AUTH;
	return PROTO_AUTHORIZE;
}

/* A signed address that has expired: the registry gives a fresh one. */
static enum proto_step ask_origin_again(struct proto *proto, const struct proto_news *news)
{
	if (++proto->target_losses > TARGET_LOSSES_MAX)
		return elsewhere(proto, news);
	proto->redirects = 0;
	proto->state = PROTO_AT_ORIGIN;
	return PROTO_SEND_ORIGIN;
}

static enum proto_step restart(struct proto *proto, const struct proto_news *news)
{
	if (++proto->restarts > 1)
		return elsewhere(proto, news);
	proto->state = PROTO_AT_ORIGIN;
	return PROTO_RESTART;
}

static enum proto_step send_authorized(struct proto *proto, const struct proto_news *news)
{
	(void)news;
	proto->state = PROTO_AT_ORIGIN;
	return PROTO_SEND_ORIGIN;
}

static enum proto_step resume(struct proto *proto, const struct proto_news *news)
{
	(void)news;
	proto->state = proto->wait_for;
	if (proto->state == PROTO_AT_AUTH)
		return PROTO_AUTHORIZE;
	return proto->state == PROTO_AT_TARGET ? PROTO_SEND_TARGET : PROTO_SEND_ORIGIN;
}

/* clang-format off */
static const move_fn moves[PROTO_STATE_COUNT][PROTO_EVENT_COUNT] = {
	/*                   DONE     REDIRECT UNAUTHORIZED      FORBIDDEN         MISSING           LATER              CUT                BAD_RANGE REFUSED    READY */
	[PROTO_AT_ORIGIN] = { succeed, follow,  authorize,        elsewhere,        elsewhere,        wait_or_elsewhere, wait_or_elsewhere, restart,  elsewhere, fail },
	[PROTO_AT_TARGET] = { succeed, follow,  ask_origin_again, ask_origin_again, ask_origin_again, wait,              wait,              restart,  elsewhere, fail },
	[PROTO_AT_AUTH]   = { fail,    fail,    elsewhere,        elsewhere,        elsewhere,        wait,              wait,              fail,     elsewhere, send_authorized },
	[PROTO_WAITING]   = { fail,    fail,    fail,             fail,             fail,             fail,              fail,              fail,     fail,      resume },
	[PROTO_OVER]      = { fail,    fail,    fail,             fail,             fail,             fail,              fail,              fail,     fail,      fail },
};

static const struct {
	long status;
	enum proto_event event;
} statuses[] = {
	{ 301, PROTO_REDIRECT }, { 302, PROTO_REDIRECT }, { 303, PROTO_REDIRECT },
	{ 307, PROTO_REDIRECT }, { 308, PROTO_REDIRECT },
	{ 401, PROTO_UNAUTHORIZED }, { 403, PROTO_FORBIDDEN }, { 404, PROTO_MISSING },
	{ 408, PROTO_LATER }, { 425, PROTO_LATER }, { 429, PROTO_LATER }, { 500, PROTO_LATER },
	{ 502, PROTO_LATER }, { 503, PROTO_LATER }, { 504, PROTO_LATER },
	{ 416, PROTO_BAD_RANGE },
};
/* clang-format on */

void proto_begin(struct proto *proto, size_t endpoint_count, bool may_redirect)
{
	memset(proto, 0, sizeof(*proto));
	proto->endpoints_left = endpoint_count - 1;
	proto->may_redirect = may_redirect;
}

enum proto_step proto_next(struct proto *proto, enum proto_event event,
			   const struct proto_news *news)
{
	return moves[proto->state][event](proto, news);
}

enum proto_event proto_event_of_status(long status)
{
	if (status >= 200 && status < 300)
		return PROTO_DONE;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].event;
	return PROTO_REFUSED;
}

enum proto_event proto_event_of_failure(enum fetch_failure failure)
{
	switch (failure) {
	case FETCH_CUT:
	case FETCH_CONNECT:
	case FETCH_RESOLVE:
		return PROTO_CUT;
	default:
		return PROTO_REFUSED;
	}
}

int64_t proto_retry_after_ms(const char *value, uint64_t now_unix_s)
{
	struct slice text = slice_trim(SLICE(value));
	struct err ignored = ERR_NONE;
	struct tm when = { 0 };
	uint64_t seconds;
	time_t at;

	if (num_parse_u64("seconds", text.at, text.len, 0, INT32_MAX, &seconds, &ignored) == 0)
		return (int64_t)seconds * 1000;
	if (!strptime(text.at, "%a, %d %b %Y %H:%M:%S GMT", &when))
		return -1;
	at = timegm(&when);
	return at <= (time_t)now_unix_s ? 0 : (int64_t)(at - (time_t)now_unix_s) * 1000;
}

bool proto_content_range(const char *value, uint64_t *out_first, uint64_t *out_last,
			 uint64_t *out_total)
{
	struct slice rest = slice_trim(SLICE(value)), unit, range, total, first, last;
	struct err ignored = ERR_NONE;

	if (!slice_split(rest, ' ', &unit, &rest) || !slice_is(unit, "bytes") ||
	    !slice_split(rest, '/', &range, &total) || !slice_split(range, '-', &first, &last))
		return false;
	*out_total = UINT64_MAX;
	if (!slice_is(total, "*") &&
	    num_parse_u64("total", total.at, total.len, 0, INT64_MAX, out_total, &ignored) < 0)
		return false;
	return num_parse_u64("first", first.at, first.len, 0, INT64_MAX, out_first, &ignored) ==
		       0 &&
	       num_parse_u64("last", last.at, last.len, *out_first, INT64_MAX, out_last,
			     &ignored) == 0;
}
