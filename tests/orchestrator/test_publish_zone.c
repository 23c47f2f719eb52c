/* tests/orchestrator/test_publish_zone - mirrors orchestrator/publish_zone: slots in, what the zone
 * says of them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/publish.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"
#include "tests/orchestrator/project_room.h"

struct stage_set {
	struct supervisor sv;
	struct project_dirs dirs;
	struct settings settings;
	struct model *model;
	struct arena *arena;
	struct slot slot;
	struct record record;
	struct slot_net net;
	struct slot_link links[2];
	struct zone zone;
};

static char project[] = "shop", service[] = "web", container[] = "shop-web-1",
	    slot_name[] = "web.1";
static const char *const aliases[] = { "www" };

/* One running slot of `web` on two networks; definition: its JSON. */
static void set_up(struct stage_set *s, const char *definition)
{
	AUTO(free) char *services = xformat("{\"web\":%s}", definition);

	memset(s, 0, sizeof(*s));
	s->arena = arena_new();
	s->model = room_model(services);
	s->dirs.name = project;
	s->sv.dirs = &s->dirs;
	s->sv.settings = &s->settings;
	LIST_INIT(&s->sv.slots);
	s->links[0] = (struct slot_link){ .network = "shop_default",
					  .ip4 = "172.20.0.2",
					  .ip6 = "fd00::2",
					  .aliases = aliases,
					  .alias_count = 1 };
	s->links[1] = (struct slot_link){ .network = "shop_back", .ip4 = "172.21.0.2" };
	s->net = (struct slot_net){ .links = s->links, .link_count = 2, .host4 = "172.20.0.1" };
	s->record = (struct record){ .id = "0123456789abcdef", .name = container, .life = 1 };
	s->slot = (struct slot){ .sv = &s->sv,
				 .service = service,
				 .number = 1,
				 .name = slot_name,
				 .record = &s->record,
				 .net = &s->net,
				 .model = s->model,
				 .state = SLOT_RUNNING };
	LIST_INSERT_HEAD(&s->sv.slots, &s->slot, link);
}

static const struct zone_endpoint *compose(struct stage_set *s)
{
	publish_compose(&s->sv, s->arena, &s->zone);
	return s->zone.endpoint_count ? &s->zone.endpoints[0] : NULL;
}

static void tear_down(struct stage_set *s)
{
	model_unref(s->model);
	arena_free(s->arena);
}

#define PLAIN "{\"image\":\"i\"}"

static void a_running_slot_has_its_names_on_each_of_its_networks(void **state)
{
	const struct zone_endpoint *endpoint;
	struct stage_set s;

	(void)state;
	set_up(&s, PLAIN);
	endpoint = compose(&s);
	assert_string_equal(s.zone.project, "shop");
	assert_int_equal(s.zone.ttl_seconds, ZONE_TTL_SECONDS);
	assert_non_null(endpoint);
	assert_string_equal(endpoint->slot, "web.1");
	assert_string_equal(endpoint->service, "web");
	assert_string_equal(endpoint->container, "shop-web-1");
	assert_string_equal(endpoint->short_id, "0123456789ab");
	assert_true(endpoint->live);
	assert_false(endpoint->unhealthy);
	assert_int_equal(endpoint->attachment_count, 2);
	assert_string_equal(endpoint->attachments[0].network, "shop_default");
	assert_int_equal(endpoint->attachments[0].address_count, 2);
	assert_string_equal(endpoint->attachments[0].addresses[1], "fd00::2");
	assert_string_equal(endpoint->attachments[0].aliases[0], "www");
	assert_int_equal(endpoint->attachments[1].address_count, 1);
	assert_int_equal(endpoint->attachments[1].alias_count, 0);
	assert_string_equal(endpoint->gateway4, "172.20.0.1");
	assert_null(endpoint->gateway6);
	tear_down(&s);
}

static void who_is_live_and_who_is_asked_last_follows_from_the_slot(void **state)
{
	static const struct {
		enum slot_state state;
		enum health_state health;
		bool unsettled, live, unhealthy;
	} rows[] = {
		{SLOT_RUNNING,  HEALTH_NONE,     false, true,  false},
		{ SLOT_RUNNING, HEALTH_GOOD,     false, true,  false},
		{ SLOT_RUNNING, HEALTH_STARTING, false, true,  false},
		{ SLOT_RUNNING, HEALTH_BAD,      false, true,  true },
		{ SLOT_RUNNING, HEALTH_GOOD,     true,  true,  true },
		{ SLOT_EXITED,  HEALTH_NONE,     false, false, false},
		{ SLOT_BACKOFF, HEALTH_NONE,     false, false, false},
		{ SLOT_CREATED, HEALTH_NONE,     false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct zone_endpoint *endpoint;
		struct stage_set s;

		set_up(&s, PLAIN);
		s.slot.state = rows[i].state;
		s.slot.unsettled = rows[i].unsettled;
		s.record.health = rows[i].health;
		endpoint = compose(&s);
		assert_non_null(endpoint);
		if (endpoint->live != rows[i].live || endpoint->unhealthy != rows[i].unhealthy)
			fail_msg("row %zu: live %d, unhealthy %d", i, endpoint->live,
				 endpoint->unhealthy);
		tear_down(&s);
	}
}

static void a_one_off_has_the_names_of_its_service_only_with_use_aliases(void **state)
{
	char hex[] = "0123456789ab";
	struct stage_set s;

	(void)state;
	set_up(&s, PLAIN);
	s.slot.oneoff = hex;
	assert_null(compose(&s)->service);
	s.slot.use_aliases = true;
	assert_string_equal(compose(&s)->service, "web");
	tear_down(&s);
}

static void slots_without_a_record_or_a_network_are_left_out(void **state)
{
	struct stage_set s;

	(void)state;
	set_up(&s, PLAIN);
	s.net.link_count = 0; /* network_mode: none */
	assert_null(compose(&s));
	s.net.link_count = 2;
	s.slot.net = NULL; /* host */
	assert_null(compose(&s));
	s.slot.net = &s.net;
	s.slot.record = NULL;
	assert_null(compose(&s));
	tear_down(&s);
}

static void links_and_extra_hosts_are_for_this_endpoint_alone(void **state)
{
	const struct zone_endpoint *endpoint;
	struct stage_set s;

	(void)state;
	set_up(&s, "{\"image\":\"i\",\"links\":[\"db:database\",\"cache\"],"
		   "\"extra_hosts\":[\"legacy=10.1.2.3\",\"host=host-gateway\"]}");
	endpoint = compose(&s);
	assert_int_equal(endpoint->link_count, 2);
	assert_string_equal(endpoint->links[0].target, "db");
	assert_string_equal(endpoint->links[0].alias, "database");
	assert_string_equal(endpoint->links[1].target, "cache");
	assert_string_equal(endpoint->links[1].alias, "cache");
	assert_int_equal(endpoint->host_count,
			 2); /* by name; no IPv6 one, as the host has none there */
	assert_string_equal(endpoint->hosts[0].name, "host");
	assert_string_equal(endpoint->hosts[0].address, "172.20.0.1");
	assert_string_equal(endpoint->hosts[1].name, "legacy");
	assert_string_equal(endpoint->hosts[1].address, "10.1.2.3");
	snprintf(s.net.host6, sizeof(s.net.host6), "fd00::1");
	endpoint = compose(&s);
	assert_int_equal(endpoint->host_count, 3);
	assert_string_equal(endpoint->hosts[1].name, "host");
	assert_string_equal(endpoint->hosts[1].address, "fd00::1");
	tear_down(&s);
}

static void the_time_to_live_is_the_machines_setting_at_most_a_day(void **state)
{
	static const struct {
		bool is_set;
		int64_t value;
		unsigned wanted;
	} rows[] = {
		{false, 0,       ZONE_TTL_SECONDS},
		{ true, 0,       0               },
		{ true, 60,      60              },
		{ true, 1000000, 86400           }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stage_set s;

		set_up(&s, PLAIN);
		s.settings.dns_ttl.is_set = rows[i].is_set;
		s.settings.dns_ttl.value = rows[i].value;
		compose(&s);
		assert_int_equal(s.zone.ttl_seconds, rows[i].wanted);
		tear_down(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_slot_has_its_names_on_each_of_its_networks),
		cmocka_unit_test(who_is_live_and_who_is_asked_last_follows_from_the_slot),
		cmocka_unit_test(a_one_off_has_the_names_of_its_service_only_with_use_aliases),
		cmocka_unit_test(slots_without_a_record_or_a_network_are_left_out),
		cmocka_unit_test(links_and_extra_hosts_are_for_this_endpoint_alone),
		cmocka_unit_test(the_time_to_live_is_the_machines_setting_at_most_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
