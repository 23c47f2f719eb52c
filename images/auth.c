/* images/auth - WWW-Authenticate, token requests, the cache of headers.
 *
 * Owns: the grammar of challenges, what a token may look like.
 * May not touch: the network, credential files, the clock.
 */
#include "images/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "images/media.h"

#define LIFE_MIN_S 60
#define LIFE_MAX_S (30 * 24 * 3600)

static bool is_token_byte(char c)
{
	return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static void skip_blanks(struct slice *rest)
{
	while (rest->len && (rest->at[0] == ' ' || rest->at[0] == '\t')) {
		rest->at++;
		rest->len--;
	}
}

static bool next_is(const struct slice *rest, char c)
{
	return rest->len && rest->at[0] == c;
}

static void advance(struct slice *rest)
{
	rest->at++;
	rest->len--;
}

static struct slice take_token(struct slice *rest)
{
	struct slice token = { rest->at, 0 };

	while (rest->len && is_token_byte(rest->at[0])) {
		advance(rest);
		token.len++;
	}
	return token;
}

/* A quoted string or a bare value into out, cut to its size; false when a quote never ends. */
static bool take_value(struct slice *rest, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if (!next_is(rest, '"')) {
		while (rest->len && !strchr(", \t", rest->at[0])) {
			if (used + 1 < size)
				out[used++] = rest->at[0];
			advance(rest);
		}
		out[used] = '\0';
		return true;
	}
	for (advance(rest); rest->len && rest->at[0] != '"'; advance(rest)) {
		if (rest->at[0] == '\\' && rest->len > 1)
			advance(rest);
		if (used + 1 < size)
			out[used++] = rest->at[0];
	}
	out[used] = '\0';
	if (!rest->len)
		return false;
	advance(rest);
	return true;
}

static void set_parameter(struct auth_challenge *challenge, struct slice name, const char *value)
{
	const struct {
		const char *name;
		char *field;
		size_t size;
	} fields[] = {
		{"realm",    challenge->realm,   sizeof(challenge->realm)  },
		{ "service", challenge->service, sizeof(challenge->service)},
		{ "scope",   challenge->scope,   sizeof(challenge->scope)  },
		{ "error",   challenge->error,   sizeof(challenge->error)  },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (name.len == strlen(fields[i].name) &&
		    strncasecmp(name.at, fields[i].name, name.len) == 0)
			snprintf(fields[i].field, fields[i].size, "%.*s", (int)fields[i].size - 1,
				 value);
}

static void begin_challenge(struct auth_challenge *out, struct slice scheme)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%.*s", (int)(scheme.len < 31 ? scheme.len : 31),
		 scheme.at);
	if (strcasecmp(out->name, "bearer") == 0)
		out->scheme = AUTH_BEARER;
	else if (strcasecmp(out->name, "basic") == 0)
		out->scheme = AUTH_BASIC;
	else
		out->scheme = AUTH_OTHER;
}

static void keep_better(struct auth_challenge *into, const struct auth_challenge *found)
{
	if (found->scheme > into->scheme)
		*into = *found;
}

void auth_challenge_add(struct auth_challenge *into, const char *value, size_t len)
{
	struct slice rest = { value, len }, token, before;
	struct auth_challenge found = { 0 };
	char text[2048];

	while (rest.len) {
		skip_blanks(&rest);
		if (next_is(&rest, ',')) {
			advance(&rest);
			continue;
		}
		token = take_token(&rest);
		if (token.len == 0)
			break;
		before = rest;
		skip_blanks(&rest);
		if (next_is(&rest, '=') && found.scheme != AUTH_NONE) {
			advance(&rest);
			skip_blanks(&rest);
			if (!take_value(&rest, text, sizeof(text)))
				break;
			set_parameter(&found, token, text);
			continue;
		}
		rest = before;
		keep_better(into, &found);
		begin_challenge(&found, token);
	}
	keep_better(into, &found);
}

static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-_.~/:,", c))
			fputc(c, out);
		else
			fprintf(out, "%%%02X", c);
	}
}

int auth_token_url(const struct auth_challenge *challenge, const char *const *scopes,
		   char **out_url, struct err *err)
{
	size_t len = 0;
	FILE *out;

	*out_url = NULL;
	if (strncasecmp(challenge->realm, "https://", 8) != 0 &&
	    strncasecmp(challenge->realm, "http://", 7) != 0)
		return err_set(err, ERR_INVALID, "the token server's address is no http(s) URL");
	out = open_memstream(out_url, &len);
	fputs(challenge->realm, out);
	fputc(strchr(challenge->realm, '?') ? '&' : '?', out);
	fputs("service=", out);
	put_escaped(out, challenge->service);
	for (; *scopes; scopes++) {
		fputs("&scope=", out);
		put_escaped(out, *scopes);
	}
	fclose(out);
	return 0;
}

char *auth_token_form(const struct auth_challenge *challenge, const char *const *scopes,
		      const char *identity_token)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	fputs("grant_type=refresh_token&client_id=stack&service=", out);
	put_escaped(out, challenge->service);
	fputs("&scope=", out);
	for (size_t i = 0; scopes[i]; i++) {
		fputs(i ? "%20" : "", out);
		put_escaped(out, scopes[i]);
	}
	fputs("&refresh_token=", out);
	put_escaped(out, identity_token);
	fclose(out);
	return text;
}

int auth_token_parse(const char *text, size_t len, char **out_token, uint64_t *out_life_s,
		     struct err *err)
{
	AUTO(json) struct json_object *root = media_parse_json("token answer", text, len, err);
	const char *token;
	int64_t life;

	if (!root)
		return -1;
	token = json_text_or(root, "token", NULL);
	if (!token || !*token)
		token = json_text_or(root, "access_token", NULL);
	if (!token || !*token)
		return err_set(err, ERR_INVALID, "token answer: holds no token");
	for (const char *c = token; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			return err_set(
				err, ERR_INVALID,
				"token answer: the token holds bytes that no header may hold");
	life = json_int_or(root, "expires_in", LIFE_MIN_S);
	if (life < LIFE_MIN_S)
		life = LIFE_MIN_S;
	*out_life_s = (uint64_t)(life > LIFE_MAX_S ? LIFE_MAX_S : life);
	*out_token = xstrdup(token);
	return 0;
}

void auth_forget(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

char *auth_basic_header(const char *user, const char *secret)
{
	char *pair = xformat("%s:%s", user, secret), *header;
	char *encoded = base64_encode(pair, strlen(pair));

	header = xformat("Authorization: Basic %s", encoded);
	auth_forget(pair);
	auth_forget(encoded);
	return header;
}

char *auth_bearer_header(const char *token)
{
	return xformat("Authorization: Bearer %s", token);
}

struct cached {
	char *key, *header;
	uint64_t until_us; /* 0: for ever */
};

struct auth_cache {
	struct cached *items;
	size_t count;
};

struct auth_cache *auth_cache_new(void)
{
	return xcalloc(1, sizeof(struct auth_cache));
}

void auth_cache_free(struct auth_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->count; i++) {
		free(cache->items[i].key);
		auth_forget(cache->items[i].header);
	}
	free(cache->items);
	free(cache);
}

static struct cached *find_cached(struct auth_cache *cache, const char *key)
{
	for (size_t i = 0; i < cache->count; i++)
		if (strcmp(cache->items[i].key, key) == 0)
			return &cache->items[i];
	return NULL;
}

void auth_cache_put(struct auth_cache *cache, const char *key, const char *header, uint64_t now_us,
		    uint64_t life_s)
{
	struct cached *item = find_cached(cache, key);

	if (!item) {
		item = xgrow(&cache->items, &cache->count, sizeof(*cache->items));
		item->key = xstrdup(key);
	}
	auth_forget(item->header);
	item->header = xstrdup(header);
	item->until_us = life_s ? now_us + life_s * 800000 : 0;
}

const char *auth_cache_get(struct auth_cache *cache, const char *key, uint64_t now_us)
{
	struct cached *item = find_cached(cache, key);

	return item && (!item->until_us || now_us < item->until_us) ? item->header : NULL;
}
