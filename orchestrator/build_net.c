/* orchestrator/build_net - network namespaces for RUN.
 *
 * Owns: the pool of namespaces, the one network of a builder. May not touch:
 * netlink and nft messages (orchestrator/network), namespaces by setns (the monitor makes them).
 */
#include "orchestrator/build_net.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/launch.h"
#include "orchestrator/network.h"

#define NETWORK_KEY "build"
#define SERVICE     "run"

struct lane {
	struct build_lane shown;
	struct slot_net *slot;
	enum build_net_kind kind;
	bool is_taken;
};

struct build_net {
	const struct build_work *work;
	const struct settings *settings;
	int runtime_fd;
	pthread_mutex_t lock;
	struct arena *arena;
	struct project_net *net;
	struct project *project; /* of one network and one service */
	struct lane **lanes;
	size_t count;
};

struct build_net *build_net_open(const struct build_work *work, const struct settings *settings,
				 int runtime_fd)
{
	struct build_net *net = xcalloc(1, sizeof(*net));

	net->work = work;
	net->runtime_fd = runtime_fd;
	net->settings = settings;
	pthread_mutex_init(&net->lock, NULL);
	net->arena = arena_new();
	return net;
}

/* ---- the network ---- */

static void describe(struct build_net *net)
{
	struct project *project = arena_alloc(net->arena, sizeof(*project));
	struct network *network = arena_alloc(net->arena, sizeof(*network));
	struct service *service = arena_alloc(net->arena, sizeof(*service));
	struct attachment *attachment = arena_alloc(net->arena, sizeof(*attachment));

	network->key = NETWORK_KEY;
	network->name = arena_format(net->arena, NETWORK_KEY ".%s", net->work->id);
	attachment->network = NETWORK_KEY;
	service->name = SERVICE;
	service->networks = attachment;
	service->network_count = 1;
	project->name = net->work->project;
	project->networks = network;
	project->network_count = 1;
	project->services = service;
	project->service_count = 1;
	net->project = project;
}

/* The mark tells a sweep that there is a network to be taken away. */
static int begin_network(struct build_net *net, struct err *err)
{
	AUTO(fd) int mark = -1;

	if (net->net)
		return 0;
	mark = openat(net->work->fd, "network", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (mark < 0)
		return err_sys(err, errno, "note the network of the build");
	describe(net);
	net->net = net_open(net->work->roots, net->work->project, net->settings, err);
	return net->net ? 0 : -1;
}

static int lease_slot(struct build_net *net, struct lane *lane, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct texts held = { NULL, 0 }, notices = { NULL, 0 };
	struct net_want want = { .service = net->project->services,
				 .number = (unsigned)net->count + 1,
				 .out_net = lane->slot };
	struct net_hold *holds = NULL;
	size_t hold_count;
	int status;

	want.slot = arena_format(arena, SERVICE ".%u", want.number);
	status = net_prepare(net->net, net->project, &want, 1, &held, arena, &holds, &hold_count,
			     &notices, err);
	free(holds);
	return status;
}

/* ---- the namespace ---- */

static int text_fd(const char *text, struct err *err)
{
	int fd = memfd_create("build", MFD_CLOEXEC);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "hand a text to the monitor");
	return fd;
}

static char *monitor_json(const struct build_net *net, const struct lane *lane, const char *folder)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *netns, *sockets;
	char id[STAMP_ID_LEN + 1];

	stamp_id(id, STAMP_ID_LEN);
	json_add_int(json, "version", 1);
	json_add_text(json, "id", id);
	{
		AUTO(free) char *run_dir = xformat("%s/%s", net->work->run_path, id);

		json_add_text(json, "run_dir", run_dir);
	}
	json_add_text(json, "container_dir", folder);
	netns = json_add_object(json, "netns");
	json_add_text(netns, "path", lane->slot->netns);
	json_add_bool(netns, "make", true);
	sockets = json_add_array(json, "sockets");
	json_push_text(sockets, "route");
	json_push_text(sockets, "netfilter");
	json_add_text(json_add_object(json, "log"), "driver", "none");
	return xstrdup(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* A monitor makes the namespace and opens sockets in it; then its pair is closed, before there is a
 * container. The pin stays. */
static int wire(struct build_net *net, struct lane *lane, struct err *err)
{
	AUTO(free) char *folder = build_work_folder(net->work, "monitor", err);
	AUTO(free) char *text = folder ? monitor_json(net, lane, folder) : NULL;
	AUTO(fd) int monitor_fd = -1;
	AUTO(fd) int config_fd = -1;
	struct launch launch;
	int status;

	if (!text)
		return -1;
	monitor_fd = text_fd(text, err);
	config_fd = monitor_fd < 0 ? -1 : text_fd("{}", err);
	if (config_fd < 0)
		return -1;
	launch_init(&launch);
	launch.runtime_fd = net->runtime_fd;
	launch.monitor_fd = monitor_fd;
	launch.config_fd = config_fd;
	launch.log_fd = -1;
	status = launch_start(&launch, false, err);
	if (status == 0 && lane->kind == BUILD_NET_DEFAULT)
		status = net_attach(net->net, lane->slot, launch.route_fd, launch.netfilter_fd, 0,
				    0, false, err);
	launch_close_sockets(&launch);
	launch_abort(&launch);
	return status;
}

static int fill_lane(struct build_net *net, struct lane *lane, struct err *err)
{
	unsigned number = (unsigned)net->count + 1;

	lane->slot->key = xformat("%s/" SERVICE "/%u", net->work->project, number);
	lane->slot->netns = xformat("%s/netns/%s." SERVICE ".%u", net->work->roots->run,
				    net->work->project, number);
	if (lane->kind == BUILD_NET_DEFAULT &&
	    (begin_network(net, err) < 0 || lease_slot(net, lane, err) < 0))
		return -1;
	return wire(net, lane, err);
}

static struct lane *new_lane(struct build_net *net, enum build_net_kind kind, struct err *err)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->kind = kind;
	lane->slot = slot_net_new();
	if (fill_lane(net, lane, err) < 0) {
		slot_net_free(lane->slot);
		free(lane);
		err_wrap(err, "network of the build");
		return NULL;
	}
	lane->shown.netns = lane->slot->netns;
	if (lane->slot->link_count) {
		const struct slot_link *link = &lane->slot->links[0];

		snprintf(lane->shown.address, sizeof(lane->shown.address), "%s", link->ip4);
		snprintf(lane->shown.gateway, sizeof(lane->shown.gateway), "%s", link->gateway4);
	}
	/* analyzer: an array of pointers */
	*(struct lane **)xgrow(&net->lanes, &net->count, sizeof(*net->lanes)) = lane;
	return lane;
}

int build_net_take(struct build_net *net, enum build_net_kind kind, const struct build_lane **out,
		   struct err *err)
{
	struct lane *found = NULL;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->count && !found; i++)
		if (!net->lanes[i]->is_taken && net->lanes[i]->kind == kind)
			found = net->lanes[i];
	if (!found)
		found = new_lane(net, kind, err);
	if (found)
		found->is_taken = true;
	pthread_mutex_unlock(&net->lock);
	if (!found)
		return -1;
	*out = &found->shown;
	return 0;
}

void build_net_give(struct build_net *net, const struct build_lane *lane)
{
	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->count; i++)
		if (&net->lanes[i]->shown == lane)
			net->lanes[i]->is_taken = false;
	pthread_mutex_unlock(&net->lock);
}

/* A namespace without a bridge has its pin alone. */
static void drop_pins(struct build_net *net)
{
	for (size_t i = 0; i < net->count; i++) {
		umount2(net->lanes[i]->slot->netns, MNT_DETACH | UMOUNT_NOFOLLOW);
		unlink(net->lanes[i]->slot->netns);
	}
}

static void drop_all(struct build_net *net)
{
	struct err err = ERR_NONE;

	if (net_drop_project(net->net, &err) < 0)
		log_warn("build-network-left", KV_S("error", &err.msg[0]));
	else
		unlinkat(net->work->fd, "network", 0);
}

void build_net_close(struct build_net *net)
{
	if (!net)
		return;
	if (net->net)
		drop_all(net);
	drop_pins(net);
	for (size_t i = 0; i < net->count; i++) {
		slot_net_free(net->lanes[i]->slot);
		free(net->lanes[i]);
	}
	free(net->lanes);
	if (net->net)
		net_close(net->net);
	arena_free(net->arena);
	pthread_mutex_destroy(&net->lock);
	free(net);
}

int build_net_kind(const char *word, enum build_net_kind *out, struct err *err)
{
	static const struct {
		const char *word;
		enum build_net_kind kind;
	} kinds[] = {
		{"",         BUILD_NET_DEFAULT},
                { "default", BUILD_NET_DEFAULT},
		{ "bridge",  BUILD_NET_DEFAULT},
                { "none",    BUILD_NET_NONE   },
		{ "host",    BUILD_NET_HOST   },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].word, word ? word : "") == 0) {
			*out = kinds[i].kind;
			return 0;
		}
	return err_set(err, ERR_INVALID, "network \"%s\": must be default, none or host", word);
}
