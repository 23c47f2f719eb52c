/* runtime/cgroup_systemd - cgroups made by systemd: scopes in slices.
 *
 * A scope wants a process at its birth: a holder of ours is in it until init is. Owns: names of
 * units, calls to the manager. May not touch: what properties mean (systemd_unit), limits that are
 * written as files, too (cgroup_v1, cgroup_v2).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/dbus.h"
#include "runtime/namespaces.h"
#include "runtime/systemd_unit.h"

#define MANAGER_NAME  "org.freedesktop.systemd1"
#define MANAGER_PATH  "/org/freedesktop/systemd1"
#define MANAGER_IFACE "org.freedesktop.systemd1.Manager"
#define EXISTS_ERROR  "org.freedesktop.systemd1.UnitExists"
#define JOB_MATCH                                                                                  \
	"type='signal',interface='" MANAGER_IFACE "',member='JobRemoved',path='" MANAGER_PATH "'"

static struct dbus_method method(const char *member, const char *signature)
{
	return (struct dbus_method){ MANAGER_NAME, MANAGER_PATH, MANAGER_IFACE, member, signature };
}

static void ask(struct dbus *bus, const struct dbus_method *what, const char *argument)
{
	AUTO(dbus_message) struct dbus_message answer = { 0 };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	struct err ignored = ERR_NONE;

	if (argument)
		dbus_put_text(&body, argument);
	dbus_call(bus, what, &body, &answer, &ignored);
}

/* The bus of the system, or of the user for a rootless caller; systemd's own socket where no daemon
 * runs. Ends of jobs are asked for. */
static struct dbus *open_manager(bool rootless, struct err *err)
{
	static const struct dbus_method match = { "org.freedesktop.DBus", "/org/freedesktop/DBus",
						  "org.freedesktop.DBus", "AddMatch", "s" };
	const struct dbus_method subscribe = method("Subscribe", NULL);
	const char *given =
		getenv(rootless ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	AUTO(free)
	char *own = xformat("unix:path=%s/systemd/private",
			    rootless && runtime_dir ? runtime_dir : "/run");
	struct err first = ERR_NONE;
	struct dbus *bus;

	if (!given && !rootless)
		given = "unix:path=/run/dbus/system_bus_socket";
	bus = given ? dbus_open(given, true, &first) : NULL;
	if (bus) {
		ask(bus, &match, JOB_MATCH);
		ask(bus, &subscribe, NULL);
		return bus;
	}
	bus = dbus_open(own, false, err);
	if (!bus && first.code)
		*err = first;
	if (!bus)
		err_wrap(err, "--systemd-cgroup: systemd cannot be reached");
	return bus;
}

/* Below which cgroup the manager's units are: a user's, one in a container. To be freed. */
static char *manager_cgroup(struct dbus *bus, struct err *err)
{
	static const struct dbus_method get = { MANAGER_NAME, MANAGER_PATH,
						"org.freedesktop.DBus.Properties", "Get", "ss" };
	AUTO(dbus_message) struct dbus_message answer = { 0 };
	AUTO(dbus_body) struct dbus_body body = { 0 };

	dbus_put_text(&body, MANAGER_IFACE);
	dbus_put_text(&body, "ControlGroup");
	if (dbus_call(bus, &get, &body, &answer, err) < 0)
		return NULL;
	dbus_get_signature(&answer.body);
	return xstrdup(dbus_get_text(&answer.body));
}

static int plan_names(struct cgroup *cgroup, const char *path, const char *id, struct err *err)
{
	AUTO(free) char *own = xformat(":stack:%s", id);
	struct slice whole = SLICE(path && path[0] ? path : own), slice, rest, prefix, name;

	slice_split(whole, ':', &slice, &rest);
	slice_split(rest, ':', &prefix, &name);
	if (!name.len || memchr(name.at, ':', name.len) || memchr(whole.at, '/', whole.len))
		return err_set(err, ERR_INVALID,
			       "linux.cgroupsPath: expected SLICE:PREFIX:NAME for systemd, not "
			       "\"%.100s\"",
			       path);
	cgroup->slice = slice.len ? xstrndup(slice.at, slice.len)
				  : xstrdup(cgroup->rootless ? "user.slice" : "system.slice");
	if (name.len > 6 && memcmp(name.at + name.len - 6, ".slice", 6) == 0)
		cgroup->scope = xstrndup(name.at, name.len);
	else
		cgroup->scope = xformat("%.*s%s%.*s.scope", (int)prefix.len, prefix.at,
					prefix.len ? "-" : "", (int)name.len, name.at);
	return 0;
}

int cgroup_systemd_plan(struct cgroup *cgroup, const char *path, const char *id, struct err *err)
{
	AUTO(free) char *slices = NULL;
	AUTO(free) char *above = NULL;
	AUTO(dbus) struct dbus *bus = NULL;

	if (plan_names(cgroup, path, id, err) < 0)
		return -1;
	slices = systemd_slice_path(cgroup->slice, err);
	if (!slices)
		return -1;
	bus = open_manager(cgroup->rootless, err);
	above = bus ? manager_cgroup(bus, err) : NULL;
	if (!above)
		return -1;
	cgroup->path =
		xformat("%s%s/%s", strcmp(above, "/") == 0 ? "" : above, slices, cgroup->scope);
	return 0;
}

static bool is_slice(const struct cgroup *cgroup)
{
	return strstr(cgroup->scope, ".slice") != NULL;
}

static int put_unit(struct dbus_body *body, const struct cgroup *cgroup, pid_t pid,
		    const struct config_resources *resources, struct err *err)
{
	static const char *const counted[] = { "CPUAccounting", "MemoryAccounting",
					       "TasksAccounting" };
	bool is_v2 = cgroup->layout == CGROUP_V2;
	AUTO(free) char *description = xformat("stack container %s", cgroup->scope);
	size_t properties, others;

	dbus_put_text(body, cgroup->scope);
	dbus_put_text(body, "replace");
	properties = dbus_array_begin(body, 8);
	systemd_put_text(body, "Description", description);
	systemd_put_bool(body, "DefaultDependencies", false);
	systemd_put_text(body, "CollectMode", "inactive-or-failed");
	for (size_t i = 0; i < sizeof(counted) / sizeof(*counted); i++)
		systemd_put_bool(body, counted[i], true);
	systemd_put_bool(body, is_v2 ? "IOAccounting" : "BlockIOAccounting", true);
	if (!is_slice(cgroup)) {
		size_t pids;

		systemd_put_text(body, "Slice", cgroup->slice);
		systemd_put_bool(body, "Delegate", true);
		dbus_pad(body, 8);
		dbus_put_text(body, "PIDs");
		dbus_put_signature(body, "au");
		pids = dbus_array_begin(body, 4);
		dbus_put_u32(body, (uint32_t)pid);
		dbus_array_end(body, pids, 4);
	}
	if (resources)
		systemd_put_limits(body, resources, is_v2 ? SYSTEMD_V2 : 0);
	if (systemd_put_annotations(body, &cgroup->properties, err) < 0)
		return -1;
	dbus_array_end(body, properties, 8);
	others = dbus_array_begin(body, 8);
	dbus_array_end(body, others, 8);
	return 0;
}

/* JobRemoved(u id, o job, s unit, s result) of our job. */
static int wait_job(struct dbus *bus, const char *job, const char *unit, struct err *err)
{
	for (;;) {
		AUTO(dbus_message) struct dbus_message message = { 0 };
		const char *result;

		if (dbus_receive(bus, &message, err) < 0)
			return err_wrap(err, "wait for %s", unit);
		if (message.kind != DBUS_SIGNAL || strcmp(message.member, "JobRemoved") != 0)
			continue;
		dbus_get_u32(&message.body);
		if (strcmp(dbus_get_text(&message.body), job) != 0)
			continue;
		dbus_get_text(&message.body);
		result = dbus_get_text(&message.body);
		return strcmp(result, "done") == 0
			       ? 0
			       : err_set(err, ERR_SYSTEM, "systemd could not start %s: %.60s", unit,
					 result);
	}
}

static void reset_failed(struct dbus *bus, const char *unit)
{
	const struct dbus_method what = method("ResetFailedUnit", "s");

	ask(bus, &what, unit);
}

static int start_unit(struct dbus *bus, const struct cgroup *cgroup, const struct dbus_body *body,
		      struct err *err)
{
	const struct dbus_method start = method("StartTransientUnit", "ssa(sv)a(sa(sv))");

	for (int tries = 0;; tries++) {
		AUTO(dbus_message) struct dbus_message answer = { 0 };

		*err = ERR_NONE;
		if (dbus_call(bus, &start, body, &answer, err) == 0)
			return wait_job(bus, dbus_get_text(&answer.body), cgroup->scope, err);
		if (tries || strcmp(answer.error, EXISTS_ERROR) != 0)
			return -1;
		reset_failed(bus,
			     cgroup->scope); /* a failed one of the same name stands in the way */
	}
}

/* Waits in the scope; ends with us at the latest. */
static pid_t start_holder(int *out_pidfd)
{
	pid_t pid = namespaces_clone(0, -1, out_pidfd);

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	return pid;
}

void cgroup_systemd_release(struct cgroup *cgroup)
{
	if (cgroup->holder_pidfd < 0)
		return;
	process_signal(cgroup->holder_pidfd, SIGKILL);
	while (waitid(P_PIDFD, (id_t)cgroup->holder_pidfd, &(siginfo_t){ 0 }, WEXITED) < 0 &&
	       errno == EINTR)
		;
	close(TAKE_FD(cgroup->holder_pidfd));
}

int cgroup_systemd_start(struct cgroup *cgroup, const struct config_resources *resources,
			 struct err *err)
{
	AUTO(dbus_body) struct dbus_body body = { 0 };
	AUTO(dbus) struct dbus *bus = open_manager(cgroup->rootless, err);
	pid_t holder = 0;

	if (!bus)
		return -1;
	if (!is_slice(cgroup)) {
		holder = start_holder(&cgroup->holder_pidfd);
		if (holder < 0)
			return err_sys(err, errno, "clone");
	}
	if (put_unit(&body, cgroup, holder, resources, err) < 0 ||
	    start_unit(bus, cgroup, &body, err) < 0) {
		cgroup_systemd_release(cgroup);
		return -1;
	}
	return 0;
}

int cgroup_systemd_update(struct cgroup *cgroup, const struct config_resources *resources,
			  struct err *err)
{
	const struct dbus_method set = method("SetUnitProperties", "sba(sv)");
	AUTO(dbus_message) struct dbus_message answer = { 0 };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	AUTO(dbus) struct dbus *bus = open_manager(cgroup->rootless, err);
	size_t properties;

	if (!bus)
		return -1;
	dbus_put_text(&body, cgroup->scope);
	dbus_put_u32(&body, true); /* for this run alone */
	properties = dbus_array_begin(&body, 8);
	systemd_put_limits(&body, resources,
			   SYSTEMD_UPDATE | (cgroup->layout == CGROUP_V2 ? SYSTEMD_V2 : 0));
	dbus_array_end(&body, properties, 8);
	return dbus_call(bus, &set, &body, &answer, err);
}

/* A unit that is gone has been stopped; only then its name is free again. */
void cgroup_systemd_stop(struct cgroup *cgroup)
{
	const struct dbus_method stop = method("StopUnit", "ss");
	AUTO(dbus_message) struct dbus_message answer = { 0 };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	struct err ignored = ERR_NONE;
	AUTO(dbus) struct dbus *bus = open_manager(cgroup->rootless, &ignored);

	cgroup_systemd_release(cgroup);
	if (!bus)
		return;
	dbus_put_text(&body, cgroup->scope);
	dbus_put_text(&body, "replace");
	if (dbus_call(bus, &stop, &body, &answer, &ignored) == 0)
		wait_job(bus, dbus_get_text(&answer.body), cgroup->scope, &ignored);
	reset_failed(bus, cgroup->scope);
}
