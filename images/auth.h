/* images/auth - challenges and tokens of registries.
 *
 * Pure: header values and JSON in, requests as text out; the clock is handed in. A cache belongs to
 * one thread. Source: RFC 9110 §11 (challenges), distribution-spec "token authentication". Secrets
 * that are freed here are overwritten first.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define AUTH_TOKEN_MAX (1u << 20) /* bytes of a token server's answer */

enum auth_scheme {
	AUTH_NONE,
	AUTH_OTHER,
	AUTH_BASIC,
	AUTH_BEARER
}; /* the higher one is preferred */

/* The best challenge of an answer. */
struct auth_challenge {
	enum auth_scheme scheme;
	char name[32];    /* as the server wrote it, for AUTH_OTHER */
	char realm[2048]; /* Bearer: the URL of the token server */
	char service[512], scope[2048];
	char error[64]; /* "invalid_token", "insufficient_scope" or "" */
};

/* Takes in one WWW-Authenticate value with any number of challenges. Call it for every such header;
 * *into starts zeroed. What cannot be parsed is left out. */
void auth_challenge_add(struct auth_challenge *into, const char *value, size_t len);

/* GET realm?service=…&scope=… (one per scope, NULL-terminated). ERR_INVALID: the realm is no
 * http(s) URL. *out_url is to be freed. */
int auth_token_url(const struct auth_challenge *challenge, const char *const *scopes,
		   char **out_url, struct err *err);
/* The form of POST realm for an identity token; to be freed (it holds the token). */
char *auth_token_form(const struct auth_challenge *challenge, const char *const *scopes,
		      const char *identity_token);
/* Reads a token server's answer. *out_token to be freed; *out_life_s at least 60. ERR_INVALID. */
int auth_token_parse(const char *text, size_t len, char **out_token, uint64_t *out_life_s,
		     struct err *err);

/* "Authorization: Basic …" and "Authorization: Bearer …", to be freed with auth_forget. */
char *auth_basic_header(const char *user, const char *secret);
char *auth_bearer_header(const char *token);
/* Overwrites and frees a secret; NULL is fine. */
void auth_forget(char *secret);
static inline void auto_secret(char **secret)
{
	auth_forget(*secret);
}

/* Headers that worked, by key (host, service and scope in one text). */
struct auth_cache;
struct auth_cache *auth_cache_new(void);
void auth_cache_free(struct auth_cache *cache);
AUTO_TYPE(auth_cache, auth_cache_free);
/* life_s 0: for ever. A token serves for four fifths of its life. */
void auth_cache_put(struct auth_cache *cache, const char *key, const char *header, uint64_t now_us,
		    uint64_t life_s);
/* Borrowed until the next call; NULL when absent or too old. */
const char *auth_cache_get(struct auth_cache *cache, const char *key, uint64_t now_us);
