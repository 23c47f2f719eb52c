/* images/registry - where a registry answers and how it may be spoken to.
 *
 * Reads the settings once (config.json's registry-mirrors and insecure-registries, registries.json
 * beside it, certs.d folders, proxy variables) and answers from memory. Loading blocks (small
 * files); certificates of a host are read when it is asked for the first time. One thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/fetch.h"

struct registry_settings;

struct registry_endpoint {
	char *host;   /* "registry-1.docker.io", "localhost:5000": names it in messages */
	char *prefix; /* path in front of /v2/, "" as a rule */
	bool is_mirror;
	bool allows_http;  /* insecure: https without proof where no CA is given, else http */
	bool is_http;      /* only http is tried: a mirror that was written so, or seen to be so */
	bool has_answered; /* is_http is known to be right */
	struct fetch_tls tls;
};

/* config_path: NULL for STACK_CONFIG, else /etc/stack/config.json; an absent file is an empty one.
 * Errors: INVALID naming file and key. */
struct registry_settings *registry_settings_load(const char *config_path, struct err *err);
void registry_settings_free(struct registry_settings *settings);
AUTO_TYPE(registry_settings, registry_settings_free);

#define REGISTRY_ORIGIN_ONLY 1u /* pushes, logins, a second look behind a mirror */
#define REGISTRY_BY_TAG      2u /* leaves out mirrors with "mirror_tags": false */

/* The endpoints for a domain of a reference, mirrors first, the origin last. Those are the
 * settings' own and stay valid: what is learnt about them (is_http) is kept in them. *out is to be
 * freed (the array alone). Errors: INVALID for a broken certs.d. */
int registry_endpoints(struct registry_settings *settings, const char *domain, unsigned flags,
		       struct registry_endpoint ***out, size_t *out_count, struct err *err);
/* The endpoint of a host that a redirect or a token realm leads to. */
struct registry_endpoint *registry_endpoint_of(struct registry_settings *settings, const char *host,
					       struct err *err);

/* host[:port] is on the list of insecure ones, or is this machine's loopback. */
bool registry_is_insecure(const struct registry_settings *settings, const char *host);
/* Downloads at once from one host, 1..16 (images.max_downloads, default 3), and in one run. */
unsigned registry_max_downloads(const struct registry_settings *settings);

/* The proxy for a URL from the environment, NULL: none; and what goes past it. Borrowed. */
const char *registry_proxy(const struct registry_settings *settings, bool is_tls);
const char *registry_no_proxy(const struct registry_settings *settings);

/* "host[:port]" of an http(s) URL; false when it is none, has user info or is longer than 8 KiB. */
bool registry_url_host(const char *url, bool *out_is_tls, char *out_host, size_t size);
