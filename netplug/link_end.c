/* netplug/link_end - a deletion in a thread of its own, and the look whether the links are gone.
 *
 * Owns: that thread. May not touch: which links (netplug/link).
 */
#include "netplug/link_end.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "netplug/link.h"

#define LOOK_EVERY_NS 300000

/* Held by the thread and by who waits for it. */
struct ending {
	struct rtnl *rtnl;
	unsigned group;
	struct err err; /* of the thread, once it is over */
	_Atomic bool is_over;
	_Atomic int holders;
};

static void let_go(struct ending *ending)
{
	if (atomic_fetch_sub(&ending->holders, 1) > 1)
		return;
	rtnl_close(ending->rtnl);
	free(ending);
}

static void *delete_group(void *data)
{
	struct ending *ending = data;

	link_delete_group(ending->rtnl, ending->group, &ending->err);
	atomic_store(&ending->is_over, true);
	let_go(ending);
	return NULL;
}

static bool are_gone(struct rtnl *rtnl, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct err err = ERR_NONE;
		unsigned index;

		if (rtnl_link_index(rtnl, names[i], &index, &err) == 0 || err.code != ERR_NOT_FOUND)
			return false;
	}
	return true;
}

/* As the thread would go on with the caller's socket, the look has one of its own. */
static int await_end(struct ending *ending, struct rtnl *look, const char *const *names,
		     size_t count, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
	bool is_over;

	while (!(is_over = atomic_load(&ending->is_over)) &&
	       !(count && are_gone(look, names, count)))
		nanosleep(&pause, NULL);
	if (!is_over || !ending->err.code)
		return 0;
	*err = ending->err;
	return -1;
}

int link_end_group(unsigned group, const char *const *names, size_t count, struct err *err)
{
	AUTO(rtnl) struct rtnl *look = NULL;
	struct ending *ending;
	pthread_t thread;
	int result;

	if (rtnl_open(&look, err) < 0)
		return -1;
	/* Names that are not there tell nothing of the others. */
	count = are_gone(look, names, count) ? 0 : count;
	ending = xcalloc(1, sizeof(*ending));
	ending->group = group;
	atomic_init(&ending->holders, 2);
	if (rtnl_open(&ending->rtnl, err) < 0) {
		free(ending);
		return -1;
	}
	if (pthread_create(&thread, NULL, delete_group, ending) == 0)
		pthread_detach(thread);
	else
		delete_group(ending);
	result = await_end(ending, look, names, count, err);
	let_go(ending);
	return result;
}
