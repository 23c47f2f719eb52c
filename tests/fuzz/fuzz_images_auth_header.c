/* tests/fuzz/fuzz_images_auth_header - what a registry says in headers and what a token server
 * answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/auth.h"
#include "images/proto.h"
#include "images/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_challenge(const char *text, size_t size)
{
	const char *const scopes[] = { "repository:a:pull", NULL };
	struct auth_challenge challenge = { 0 };
	struct err err = ERR_NONE;
	char *url;

	auth_challenge_add(&challenge, text, size);
	auth_challenge_add(&challenge, text, size);
	if (challenge.scheme != AUTH_BEARER)
		return;
	if (auth_token_url(&challenge, scopes, &url, &err) == 0)
		free(url);
	auth_forget(auth_token_form(&challenge, scopes, "x"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), host[256];
	uint64_t first, last, total, life_s;
	struct err err = ERR_NONE;
	char *token = NULL;
	bool is_tls;

	try_challenge((const char *)data, size);
	if (auth_token_parse((const char *)data, size, &token, &life_s, &err) == 0)
		for (const char *c = token; *c; c++)
			if (*c < 0x21 || *c > 0x7e)
				abort(); /* such a token could end the header */
	auth_forget(token);
	if (proto_content_range(text, &first, &last, &total) && last < first)
		abort();
	proto_retry_after_ms(text, 1700000000);
	if (registry_url_host(text, &is_tls, host, sizeof(host)) && strpbrk(host, "@/ \r\n"))
		abort();
	free(text);
	return 0;
}
