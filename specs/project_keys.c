/* specs/project_keys - rows of the top level, networks, volumes, secrets, configs, models, include.
 *
 * Owns: names, forms, fields and meanings. May not touch: how rows are run.
 * Source: Compose Specification.
 */
#include "specs/checks.h"
#include "specs/expand.h"
#include "specs/keys.h"
#include "specs/model.h"
#include "specs/rules.h"

#define EXTENSIONS(type) .extensions_offset = offsetof(struct type, extensions)
#define PLACE(type)      .place_offset = offsetof(struct type, place)
#define NO_PLACE         .place_offset = NO_FIELD
#define NO_NULL          .null_offset = NO_FIELD

/* clang-format off */
#define AT(field) offsetof(struct ipam_pool, field)
static const struct key pool_rows[] = {
	{ "subnet", KEY_TEXT, 0, AT(subnet), .check = check_subnet, .doc = "A address pool" },
	{ "gateway", KEY_TEXT, 0, AT(gateway), .check = check_ip,
	  .doc = "A address of the bridge" },
	{ "ip_range", KEY_TEXT, 0, AT(ip_range), .check = check_subnet,
	  .doc = "B range for automatic addresses" },
	{ "aux_addresses", KEY_OPTIONS, 0, AT(aux_addresses), .doc = "B reserved addresses" },
};
static const struct table pool_table = {
	.what = "an address pool", TABLE_KEYS(pool_rows),
	.size = sizeof(struct ipam_pool), NO_PLACE, NO_NULL, EXTENSIONS(ipam_pool),
	.unique = unique_pool,
};
#undef AT
#define AT(field) offsetof(struct ipam, field)
static const struct key ipam_rows[] = {
	{ "driver", KEY_TEXT, 0, AT(driver), .doc = "C default" },
	{ "config", KEY_OBJECTS, 0, AT(config), &pool_table, .doc = "A address pools" },
	{ "options", KEY_OPTIONS, 0, AT(options), .doc = "C no effect" },
};
static const struct table ipam_table = {
	.what = "ipam", TABLE_KEYS(ipam_rows),
	.size = sizeof(struct ipam), NO_PLACE, NO_NULL, EXTENSIONS(ipam),
};
#undef AT

#define AT(field) offsetof(struct network, field)
static const struct key network_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "A real name; default PROJECT_KEY, external: KEY" },
	{ "driver", KEY_TEXT, 0, AT(driver),
	  .doc = "A bridge, host, none; macvlan, ipvlan where the kernel has them; overlay is "
	  "refused" },
	{ "driver_opts", KEY_OPTIONS, 0, AT(driver_opts),
	  .doc = "B bridge name, mtu, host address, icc, masquerade" },
	{ "ipam", KEY_OBJECT, KEY_JSON_EMPTY, AT(ipam), &ipam_table, .doc = "A addresses" },
	{ "external", KEY_EXTERNAL, 0, AT(external),
	  .doc = "A it must exist; never made or removed" },
	{ "internal", KEY_BOOL, 0, AT(internal), .doc = "A no way out" },
	{ "attachable", KEY_BOOL, KEY_WARNED, AT(attachable), .doc = "D no effect on one host" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels), .doc = "B labels" },
	{ "enable_ipv4", KEY_OPT_BOOL, 0, AT(enable_ipv4), .doc = "B default true" },
	{ "enable_ipv6", KEY_OPT_BOOL, 0, AT(enable_ipv6), .doc = "B default false" },
};
const struct table network_table = {
	.what = "a network", TABLE_KEYS(network_rows),
	.size = sizeof(struct network), PLACE(network), NO_NULL, EXTENSIONS(network),
	.finish = finish_network, .null_names_ok = true,
};
#undef AT

#define AT(field) offsetof(struct volume, field)
static const struct key volume_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "A real name; default PROJECT_KEY, external: KEY" },
	{ "driver", KEY_TEXT, 0, AT(driver), .doc = "A local; others are refused" },
	{ "driver_opts", KEY_OPTIONS, 0, AT(driver_opts),
	  .doc = "B type, device, o of mount(8); with o: bind the device is a path" },
	{ "external", KEY_EXTERNAL, 0, AT(external),
	  .doc = "A it must exist; never made or removed" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels), .doc = "B labels" },
};
const struct table volume_table = {
	.what = "a volume", TABLE_KEYS(volume_rows),
	.size = sizeof(struct volume), PLACE(volume), NO_NULL, EXTENSIONS(volume),
	.finish = finish_volume, .null_names_ok = true,
};
#undef AT

#define AT(field) offsetof(struct file_source, field)
static const struct key secret_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "C real name" },
	{ "environment", KEY_TEXT, 0, AT(environment),
	  .doc = "A variable of the project environment; its value is never printed" },
	{ "file", KEY_TEXT, 0, AT(file), .doc = "A file" },
	{ "external", KEY_EXTERNAL, 0, AT(external), .doc = "C kept by `stack secret`" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels), .doc = "C labels" },
	{ "driver", KEY_TEXT, KEY_REFUSED, AT(driver), .doc = "D swarm" },
	{ "driver_opts", KEY_OPTIONS, KEY_REFUSED, AT(driver_opts), .doc = "D swarm" },
	{ "template_driver", KEY_TEXT, KEY_REFUSED, AT(template_driver), .doc = "D swarm" },
};
static const struct key config_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "C real name" },
	{ "environment", KEY_TEXT, 0, AT(environment),
	  .doc = "A variable of the project environment" },
	{ "content", KEY_TEXT, KEY_EMPTY_OK, AT(content), .doc = "A text, interpolated" },
	{ "file", KEY_TEXT, 0, AT(file), .doc = "A file" },
	{ "external", KEY_EXTERNAL, 0, AT(external), .doc = "C kept by `stack secret`" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels), .doc = "C labels" },
	{ "template_driver", KEY_TEXT, KEY_REFUSED, AT(template_driver), .doc = "D swarm" },
};
const struct table secret_table = {
	.what = "a secret", TABLE_KEYS(secret_rows),
	.size = sizeof(struct file_source), PLACE(file_source), NO_NULL, EXTENSIONS(file_source),
	.finish = finish_secret,
};
const struct table config_table = {
	.what = "a config", TABLE_KEYS(config_rows),
	.size = sizeof(struct file_source), PLACE(file_source), NO_NULL, EXTENSIONS(file_source),
	.finish = finish_config,
};
#undef AT

#define AT(field) offsetof(struct ai_model, field)
static const struct key ai_model_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "D real name" },
	{ "model", KEY_TEXT, KEY_NEEDED, AT(model), .doc = "D reference" },
	{ "context_size", KEY_INT, KEY_ZERO_UNSET, AT(context_size), .doc = "D tokens" },
	{ "runtime_flags", KEY_TEXTS, 0, AT(runtime_flags), .doc = "D options" },
};
const struct table ai_model_table = {
	.what = "a model", TABLE_KEYS(ai_model_rows),
	.size = sizeof(struct ai_model), NO_PLACE, NO_NULL, EXTENSIONS(ai_model),
};
#undef AT

static const struct key include_rows[] = {
	{ "path", KEY_TEXT_OR_LIST, KEY_NEEDED, NO_FIELD,
	  .doc = "A file, or files that are merged in order" },
	{ "env_file", KEY_TEXT_OR_LIST, 0, NO_FIELD, .doc = "B instead of the .env of its folder" },
	{ "project_directory", KEY_TEXT, 0, NO_FIELD, .doc = "B base of its relative paths" },
};
const struct table include_table = {
	.what = "an include", TABLE_KEYS(include_rows), NO_PLACE, NO_NULL,
	.extensions_offset = NO_FIELD, .expand = expand_include,
};

#define AT(field) offsetof(struct project, field)
static const struct key project_rows[] = {
	{ "version", KEY_LOOSE, 0, NO_FIELD, .doc = "B ignored, with one warning" },
	{ "name", KEY_TEXT, 0, AT(name), .doc = "A project name" },
	{ "include", KEY_OBJECTS, 0, NO_FIELD, &include_table,
	  .doc = "A other files, each a model of its own" },
	{ "services", KEY_NAMED, 0, AT(services), &service_table, .doc = "A services by name" },
	{ "networks", KEY_NAMED, 0, AT(networks), &network_table, .doc = "A networks by key" },
	{ "volumes", KEY_NAMED, 0, AT(volumes), &volume_table, .doc = "A volumes by key" },
	{ "secrets", KEY_NAMED, 0, AT(secrets), &secret_table, .doc = "A secrets by key" },
	{ "configs", KEY_NAMED, 0, AT(configs), &config_table, .doc = "A configs by key" },
	{ "models", KEY_NAMED, 0, AT(models), &ai_model_table, .doc = "D AI models" },
	{ "x-stack", KEY_INLINE, KEY_EXTENSION, 0, &project_stack_table,
	  .doc = "A history, autostart" },
};
const struct table project_table = {
	.what = "the file", TABLE_KEYS(project_rows),
	.size = sizeof(struct project), NO_PLACE, NO_NULL, EXTENSIONS(project),
};
/* clang-format on */
