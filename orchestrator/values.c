/* orchestrator/values - values that came from the caller's environment, kept over the supervisor's
 * death.
 *
 * Owns: values.json in the run folder. May not touch: the state folder, which is on a disk.
 */
#include "orchestrator/values.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "specs/model_json.h"

#define FILE_NAME      "values.json"
#define FILE_MAX_BYTES (16u << 20)

static bool is_in_memory(int fd)
{
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int values_keep(const struct project_dirs *dirs, const struct model *model, struct err *err)
{
	AUTO(json) struct json_object *values = model_json_values(model->project);

	if (!values || json_object_object_length(values) == 0) {
		values_forget(dirs);
		return 0;
	}
	if (!is_in_memory(dirs->run_fd))
		return 0;
	return json_write_file(dirs->run_fd, FILE_NAME, values, 0, err);
}

void values_put_back(const struct project_dirs *dirs, struct model *model)
{
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *values = NULL;

	if (!model || dirs->run_fd < 0)
		return;
	values = json_read_file(dirs->run_fd, FILE_NAME, FILE_MAX_BYTES, &err);
	if (values)
		model_json_take_values(model->arena, model->project, values);
	else if (err.code != ERR_NOT_FOUND)
		log_warn("values-not-read", KV_S("error", err.msg));
}

void values_forget(const struct project_dirs *dirs)
{
	if (dirs->run_fd >= 0 && unlinkat(dirs->run_fd, FILE_NAME, 0) < 0 && errno != ENOENT)
		log_warn("values-stay", KV_S("project", dirs->name));
}
