/* specs/support - what stack does with each key: the reference page, and what `up` refuses.
 *
 * Owns: the list of refusals, the form of the page. May not touch: the key tables themselves.
 */
#include "specs/support.h"

#include <string.h>

#include "specs/keys.h"

#define ROW_DEPTH_MAX 12

static const char *const log_drivers[] = { "json-file", "local", "none", "journald", "syslog" };
static const char *const mount_types[] = { "bind", "volume", "tmpfs", "image" };

static bool is_one_of(const char *const *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}
#define IS_ONE_OF(words, text) is_one_of((words), sizeof(words) / sizeof(*(words)), (text))

static int refuse(struct err *err, const char *kind, const char *name, const char *key,
		  const char *why)
{
	return err_set(err, ERR_UNSUPPORTED, "%s %s: %s: %s", kind, name, key, why);
}

/* Connections start it again, so there must be some that can be seen. */
static int check_idle(const struct service *service, struct err *err)
{
	const char *name = service->name, *key = "x-stack.idle";

	if (service->stack->idle_after.us <= 0)
		return refuse(err, "service", name, key, "after is a duration above 0");
	if (!service->port_count)
		return refuse(
			err, "service", name, key,
			"connections to published ports start the service again: give it ports");
	if (service->stack->schedule)
		return refuse(err, "service", name, key,
			      "a job of x-stack.schedule ends by itself");
	if (service->network_mode && strcmp(service->network_mode, "bridge") != 0)
		return refuse(err, "service", name, key,
			      "ports are published with networks or network_mode: bridge alone");
	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].protocol && strcmp(service->ports[i].protocol, "sctp") == 0)
			return refuse(err, "service", name, key, "tcp and udp ports alone");
	return 0;
}

/* What could work here and does not yet: said, not passed over. */
static int check_not_yet(const struct service *service, struct err *err)
{
	const char *name = service->name;

	if (service->stack && service->stack->idle_after.is_set && check_idle(service, err) < 0)
		return -1;
	if (service->pre_start_count)
		return refuse(err, "service", name, "pre_start",
			      "not supported yet: use a service of its own and depends_on with "
			      "service_completed_successfully");
	return 0;
}

static int check_service(const struct service *service, struct err *err)
{
	const char *name = service->name;

	if (service->isolation && strcmp(service->isolation, "default") != 0)
		return refuse(err, "service", name, "isolation", "Windows only");
	if (service->credential_spec)
		return refuse(err, "service", name, "credential_spec", "Windows only");
	if (service->provider)
		return refuse(err, "service", name, "provider",
			      "services made by other programs are not supported");
	if (service->model_count)
		return refuse(err, "service", name, "models", "there is no runner of models here");
	if (service->userns_mode && *service->userns_mode &&
	    strcmp(service->userns_mode, "host") != 0)
		return refuse(
			err, "service", name, "userns_mode",
			"containers have the machine's users (host); see x-stack.idmap for files");
	if (service->use_api_socket)
		return refuse(err, "service", name, "use_api_socket",
			      "there is no engine's socket to hand in");
	if (service->logging && service->logging->driver &&
	    !IS_ONE_OF(log_drivers, service->logging->driver))
		return refuse(err, "service", name, "logging.driver",
			      "want json-file, local, none, journald or syslog");
	if (check_not_yet(service, err) < 0)
		return -1;
	for (size_t i = 0; i < service->volume_count; i++)
		if (!IS_ONE_OF(mount_types, service->volumes[i].type))
			return refuse(err, "service", name, "volumes",
				      "mounts are of type bind, volume, tmpfs or image");
	return 0;
}

static int check_sources(const char *kind, const struct file_source *sources, size_t count,
			 struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (sources[i].driver || sources[i].driver_opts.count)
			return refuse(err, kind, sources[i].key, "driver", "swarm only");
		if (sources[i].template_driver)
			return refuse(err, kind, sources[i].key, "template_driver", "swarm only");
	}
	return 0;
}

int project_check_supported(const struct project *project, struct err *err)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (check_service(&project->services[i], err) < 0)
			return -1;
	for (size_t i = 0; i < project->volume_count; i++) {
		const struct volume *volume = &project->volumes[i];

		if (!volume->external && volume->driver && strcmp(volume->driver, "local") != 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "volume %s: driver %.60s: there are no volume plugins, only "
				       "local",
				       volume->key, volume->driver);
	}
	for (size_t i = 0; i < project->network_count; i++) {
		const struct network *network = &project->networks[i];

		if (!network->external && network->driver &&
		    strcmp(network->driver, "overlay") == 0)
			return refuse(err, "network", network->key, "driver",
				      "overlay networks span hosts; this is one");
	}
	if (check_sources("secret", project->secrets, project->secret_count, err) < 0)
		return -1;
	return check_sources("config", project->configs, project->config_count, err);
}

static const char *form_of(const struct key *key)
{
	static const char *const forms[KEY_KIND_COUNT] = {
		[KEY_TEXT] = "text",
		[KEY_LOOSE] = "text or number",
		[KEY_BOOL] = "boolean",
		[KEY_OPT_BOOL] = "boolean",
		[KEY_INT] = "whole number",
		[KEY_INT_TEXT] = "whole number",
		[KEY_MODE] = "file mode",
		[KEY_NUMBER] = "number",
		[KEY_PORT] = "port",
		[KEY_BYTES] = "size",
		[KEY_DURATION] = "duration",
		[KEY_STATUS] = "status or range",
		[KEY_TEXTS] = "list",
		[KEY_LOOSE_TEXTS] = "list",
		[KEY_TEXT_OR_LIST] = "text or list",
		[KEY_COMMAND] = "text or list",
		[KEY_TEST] = "text or list",
		[KEY_HOSTS] = "list or map",
		[KEY_PAIRS] = "list or map",
		[KEY_OPTIONS] = "map",
		[KEY_SSH] = "list or map",
		[KEY_ULIMITS] = "map",
		[KEY_PROVIDER_OPTIONS] = "map",
		[KEY_EXTERNAL] = "boolean",
		[KEY_OBJECT] = "map",
		[KEY_INLINE] = "map",
		[KEY_OBJECTS] = "list of maps",
		[KEY_NAMED] = "map of maps",
		[KEY_NAMES] = "list or map",
	};

	if (key->choices)
		return "one of";
	if (key->table && key->table->expand && key->kind == KEY_OBJECT)
		return "text or map";
	if (key->table && key->table->expand && key->kind == KEY_OBJECTS)
		return key->flags & KEY_ONE_OK ? "text, or list of texts or maps"
					       : "list of texts or maps";
	return forms[key->kind];
}

static const char *state_of(const struct key *key)
{
	if (key->flags & KEY_REFUSED)
		return "refused by `up`";
	if (key->flags & KEY_WARNED)
		return "accepted, warning";
	return "applied";
}

static void write_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void write_rows(FILE *out, const struct table *table, const char *prefix, unsigned depth)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct key *key = &table->keys[i];
		bool is_list = key->kind == KEY_OBJECTS;
		bool is_named = key->kind == KEY_NAMED || key->kind == KEY_NAMES ||
				key->kind == KEY_ULIMITS;
		char below[256];

		fprintf(out, "| `%s%s` | %s | ", prefix, key->name, form_of(key));
		write_escaped(out, key->doc + 2);
		if (key->choices)
			fprintf(out, " (%s)", key->choices);
		fprintf(out, " | %c | %s |\n", key->doc[0], state_of(key));
		if (!key->table || depth == ROW_DEPTH_MAX)
			continue;
		snprintf(below, sizeof(below), "%s%s%s.", prefix, key->name,
			 is_list    ? "[]"
			 : is_named ? ".NAME"
				    : "");
		write_rows(out, key->table, below, depth + 1);
	}
}

static void write_section(FILE *out, const char *title, const char *prefix,
			  const struct table *table)
{
	fprintf(out, "\n## %s\n\n| key | form | meaning | class | state |\n", title);
	fputs("|---|---|---|---|---|\n", out);
	write_rows(out, table, prefix, 0);
}

void support_write_page(FILE *out)
{
	fputs("# Compose keys that stack reads\n\n"
	      "Made from the key tables in `specs/`, which also check and read the files: do not "
	      "edit.\n"
	      "`STACK_WRITE_DOCS=1 build/san/tests/specs/test_support` writes it anew.\n\n"
	      "Class: A the core, B expected by users, C accepted and applied where the machine "
	      "can, D of no use\n"
	      "on one Linux host. Any key `x-...` is accepted at every level and carried along. "
	      "Any other key is an\n"
	      "error that names file, line and column, and the nearest key.\n",
	      out);
	fputs("\n## Top level\n\n| key | form | meaning | class | state |\n|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; i < project_table.count; i++) {
		const struct key *key = &project_table.keys[i];

		fprintf(out, "| `%s` | %s | %s | %c | %s |\n", key->name, form_of(key),
			key->doc + 2, key->doc[0], state_of(key));
		if (key->kind == KEY_INLINE)
			write_rows(out, key->table, "x-stack.", 1);
	}
	write_section(out, "Services", "services.NAME.", &service_table);
	write_section(out, "Networks", "networks.NAME.", &network_table);
	write_section(out, "Volumes", "volumes.NAME.", &volume_table);
	write_section(out, "Secrets", "secrets.NAME.", &secret_table);
	write_section(out, "Configs", "configs.NAME.", &config_table);
	write_section(out, "Models", "models.NAME.", &ai_model_table);
	write_section(out, "Include", "include[].", &include_table);
}
