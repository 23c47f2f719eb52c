/* orchestrator/build_control - the brake of a build.
 *
 * Owns: the number of running steps, the list of running containers. May not touch: what they do.
 */
#include "orchestrator/build_control.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/spawn.h"

struct build_control {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t free_turns;
	atomic_bool cancelled;
	const char **ids;
	size_t count;
	char *runtime_root;
	int runtime_fd;
};

struct build_control *build_control_new(size_t limit, const char *runtime_root, int runtime_fd)
{
	struct build_control *control = xcalloc(1, sizeof(*control));

	pthread_mutex_init(&control->lock, NULL);
	pthread_cond_init(&control->changed, NULL);
	control->free_turns = limit ? limit : 1;
	atomic_init(&control->cancelled, false);
	control->runtime_root = xstrdup(runtime_root);
	control->runtime_fd = runtime_fd;
	return control;
}

void build_control_free(struct build_control *control)
{
	pthread_cond_destroy(&control->changed);
	pthread_mutex_destroy(&control->lock);
	free(control->runtime_root);
	free(control->ids);
	free(control);
}

static int cancelled_error(struct err *err)
{
	return err_set(err, ERR_CANCELLED, "cancelled");
}

int build_control_enter(struct build_control *control, struct err *err)
{
	bool may;

	pthread_mutex_lock(&control->lock);
	while (!control->free_turns && !control->cancelled)
		pthread_cond_wait(&control->changed, &control->lock);
	may = !control->cancelled;
	if (may)
		control->free_turns--;
	pthread_mutex_unlock(&control->lock);
	return may ? 0 : cancelled_error(err);
}

void build_control_leave(struct build_control *control)
{
	pthread_mutex_lock(&control->lock);
	control->free_turns++;
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}

int build_control_add(struct build_control *control, const char *id, struct err *err)
{
	bool late;

	pthread_mutex_lock(&control->lock);
	late = control->cancelled;
	if (!late)
		*(const char **)xgrow(&control->ids, &control->count, sizeof(char *)) = id;
	pthread_mutex_unlock(&control->lock);
	return late ? cancelled_error(err) : 0;
}

void build_control_remove(struct build_control *control, const char *id)
{
	pthread_mutex_lock(&control->lock);
	for (size_t i = 0; i < control->count; i++)
		if (control->ids[i] == id) {
			control->ids[i] = control->ids[--control->count];
			break;
		}
	pthread_mutex_unlock(&control->lock);
}

static void kill_container(const struct build_control *control, const char *id)
{
	const char *argv[] = {
		"stack-runtime", "--root", control->runtime_root, "delete", "--force", id, NULL
	};
	struct spawn_result result;
	struct err ignored = ERR_NONE;

	spawn_and_wait(control->runtime_fd, argv, -1, &result, &ignored);
}

void build_control_cancel(struct build_control *control)
{
	char **ids;
	size_t count;

	pthread_mutex_lock(&control->lock);
	control->cancelled = true;
	pthread_cond_broadcast(&control->changed);
	count = control->count;
	ids = xcalloc(count + 1, sizeof(*ids));
	for (size_t i = 0; i < count; i++)
		ids[i] = xstrdup(control->ids[i]);
	pthread_mutex_unlock(&control->lock);
	for (size_t i = 0; i < count; i++) {
		kill_container(control, ids[i]);
		free(ids[i]);
	}
	free(ids);
}

bool build_control_is_cancelled(const struct build_control *control)
{
	return control->cancelled;
}

int build_control_wait(struct build_control *control, bool (*holds)(void *ctx), void *ctx,
		       struct err *err)
{
	bool held;

	pthread_mutex_lock(&control->lock);
	while (!(held = holds(ctx)) && !control->cancelled)
		pthread_cond_wait(&control->changed, &control->lock);
	pthread_mutex_unlock(&control->lock);
	return held ? 0 : cancelled_error(err);
}

void build_control_change(struct build_control *control, void (*change)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&control->lock);
	change(ctx);
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}
