/* tests/netplug/zone_of_test - one project with two networks, for the tests of zone, dns and netd.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "netplug/zone.h"
#include "netplug/zone_index.h"

#define TEXTS(...)                                                                                 \
	(const char *const[]){ __VA_ARGS__ },                                                      \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)

/* web.1 (default, back), web.2 (default, unhealthy), db.1 (default), gone.1 (default, not live),
 * and a foreign container on back. */
static inline char *zone_text_of_test(bool healthy_only, size_t *out_len)
{
	const struct zone_network networks[] = {
		{"shop_default", TEXTS("172.20.0.0/24", "fd00::/64") },
		{ "shop_back",             TEXTS("172.21.0.0/24")                      },
	};
	const struct zone_attachment web1[] = {
		{"shop_default", TEXTS("172.20.0.2", "fd00::2"), TEXTS("www", "Front") },
		{ "shop_back",      TEXTS("172.21.0.2"),                       TEXTS("inside")                     },
	};
	const struct zone_attachment web2 = { "shop_default", TEXTS("172.20.0.3", "fd00::3"), NULL,
					      0 };
	const struct zone_attachment db = { "shop_default", TEXTS("172.20.0.5"), NULL, 0 };
	const struct zone_attachment gone = { "shop_default", TEXTS("172.20.0.6"), NULL, 0 };
	const struct zone_attachment other = { "shop_back", TEXTS("172.21.0.9"), TEXTS("cache") };
	const struct zone_link link = { "database", "db" };
	const struct zone_host hosts[] = {
		{"Legacy",  "10.1.2.3"},
                { "legacy", "10.1.2.4"}
	};
	const struct zone_endpoint endpoints[] = {
		{.slot = "web.1",
                 .service = "web",
                 .container = "shop-web-1",
                 .short_id = "0123456789ab",
                 .live = true,
                 .attachments = web1,
                 .attachment_count = 2,
                 .gateway4 = "172.20.0.1" },
		{ .slot = "web.2",
                 .service = "web",
                 .container = "shop-web-2",
                 .live = true,
                 .unhealthy = true,
                 .attachments = &web2,
                 .attachment_count = 1,
                 .links = &link,
                 .link_count = 1,
                 .hosts = hosts,
                 .host_count = 2 },
		{ .slot = "db.1",
                 .service = "db",
                 .container = "shop-db-1",
                 .live = true,
                 .attachments = &db,
                 .attachment_count = 1 },
		{ .slot = "gone.1",
                 .service = "gone",
                 .container = "shop-gone-1",
                 .attachments = &gone,
                 .attachment_count = 1 },
		{ .container = "other-cache-1",
                 .live = true,
                 .attachments = &other,
                 .attachment_count = 1   },
	};
	const struct zone zone = { .project = "shop",
				   .serial = 7,
				   .ttl_seconds = ZONE_TTL_SECONDS,
				   .healthy_only = healthy_only,
				   .networks = networks,
				   .network_count = 2,
				   .endpoints = endpoints,
				   .endpoint_count = 5 };

	return zone_text(&zone, out_len);
}

static inline struct zone_index *zone_of_test(bool healthy_only)
{
	struct err err = ERR_NONE;
	size_t len;
	AUTO(free) char *text = zone_text_of_test(healthy_only, &len);
	struct zone_index *index = zone_index_parse(text, len, &err);

	if (!index)
		abort();
	return index;
}
