/* orchestrator/storage_files - configs and secrets of a service as grants and binds.
 *
 * Owns: which of the four kinds of source one has. May not touch: mounts.
 */
#include "orchestrator/storage_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static int id_of(const char *what, const char *text, uint32_t *out, struct err *err)
{
	uint64_t value = 0;

	*out = 0;
	if (!text)
		return 0;
	if (num_parse_u64(what, text, strlen(text), 0, UINT32_MAX - 1, &value, err) < 0)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

static int source_of(const struct file_source *source, bool is_config, struct secret_grant *grant,
		     struct err *err)
{
	const char *kind = is_config ? "config" : "secret";

	grant->name = source->key;
	if (source->external) {
		grant->kind = SECRET_EXTERNAL;
		grant->source = source->name;
	} else if (source->file) {
		grant->kind = SECRET_FILE;
		grant->source = source->file;
	} else {
		const char *value = source->content ? source->content : source->value;

		if (!value)
			return err_set(err, ERR_NOT_FOUND,
				       "%s %s: the variable %s is not set in this environment",
				       kind, source->key,
				       source->environment ? source->environment : "?");
		grant->kind = SECRET_VALUE;
		grant->value = value;
		grant->value_len = strlen(value);
	}
	return 0;
}

static int add(struct arena *arena, const struct project *project, const struct file_use *use,
	       bool is_config, struct file_grant *out, struct err *err)
{
	const struct file_source *source = is_config ? project_find_config(project, use->source)
						     : project_find_secret(project, use->source);
	char *target;

	if (!source)
		return err_set(err, ERR_NOT_FOUND, "%s %s is not declared",
			       is_config ? "config" : "secret", use->source);
	if (source_of(source, is_config, &out->grant, err) < 0 ||
	    id_of("uid", use->uid, &out->grant.uid, err) < 0 ||
	    id_of("gid", use->gid, &out->grant.gid, err) < 0)
		return -1;
	out->grant.mode = use->mode.is_set ? (mode_t)use->mode.value : SECRET_DEFAULT_MODE;
	out->is_bind = is_config && out->grant.kind == SECRET_FILE && !use->uid && !use->gid &&
		       !use->mode.is_set;
	target = secret_target(is_config, use->source, use->target);
	out->target = arena_strdup(arena, target);
	free(target);
	return 0;
}

int storage_grants(struct arena *arena, const struct project *project,
		   const struct service *service, struct file_grant **out, size_t *out_count,
		   struct err *err)
{
	size_t count = service->config_count + service->secret_count;
	struct file_grant *grants = arena_alloc(arena, (count + 1) * sizeof(*grants));

	for (size_t i = 0; i < count; i++) {
		bool is_config = i < service->config_count;
		const struct file_use *use = is_config
						     ? &service->configs[i]
						     : &service->secrets[i - service->config_count];

		if (add(arena, project, use, is_config, &grants[i], err) < 0)
			return err_wrap(err, "service %s", service->name);
	}
	*out = grants;
	*out_count = count;
	return 0;
}
