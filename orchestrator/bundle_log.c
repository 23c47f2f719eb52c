/* orchestrator/bundle_log - the log object of monitor.json from a service's logging section.
 *
 * Owns: log options as the monitor wants them. May not touch: the log itself (the monitor's).
 */
#include "orchestrator/bundle_log.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "specs/units.h"

#define SHORT_ID 12

static int add_size(struct json_object *log, const char *key, const char *name,
		    const struct pairs *options, struct err *err)
{
	const char *text = pairs_get(options, name);
	uint64_t bytes;

	if (!text)
		return 0;
	if (units_parse_bytes(text, &bytes, err) < 0)
		return err_wrap(err, "logging.options.%s", name);
	json_add_int(log, key, (int64_t)bytes);
	return 0;
}

/* One {{.Field}} of a tag; NULL when docker's drivers have none of the name. */
static const char *tag_field(const struct record *record, struct slice name, int *out_len)
{
	const struct {
		const char *name, *value;
		int len; /* 0: all */
	} fields[] = {
		{"ID",           record->id,        SHORT_ID},
		{ "FullID",      record->id,        0       },
		{ "Name",        record->name,      0       },
		{ "FullName",    record->name,      0       },
		{ "ImageID",     record->image_id,  SHORT_ID},
		{ "ImageFullID", record->image_id,  0       },
		{ "ImageName",   record->image_ref, 0       },
		{ "DaemonName",  "stack",           0       },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const char *value = fields[i].value ? fields[i].value : "";

		if (!slice_is(name, fields[i].name))
			continue;
		if (fields[i].len && text_starts(value, "sha256:"))
			value += strlen("sha256:");
		*out_len = fields[i].len && strlen(value) > (size_t)fields[i].len
				   ? fields[i].len
				   : (int)strlen(value);
		return value;
	}
	return NULL;
}

/* "{{.Name}}/{{.ID}}" filled in, to be freed; NULL with *err for a field that is none. */
static char *fill_tag(const char *tag, const struct record *record, struct err *err)
{
	char *out = xstrdup("");

	while (*tag) {
		const char *open = strstr(tag, "{{"), *close = open ? strstr(open, "}}") : NULL;
		AUTO(free) char *before = out;
		const char *value = "";
		int len = 0;

		if (open && close) {
			struct slice name =
				slice_trim((struct slice){ open + 2, (size_t)(close - open - 2) });

			value = name.len && name.at[0] == '.'
					? tag_field(record,
						    (struct slice){ name.at + 1, name.len - 1 },
						    &len)
					: NULL;
			if (!value) {
				err_set(err, ERR_INVALID,
					"logging.options.tag: there is no field %.*s",
					(int)name.len, name.at);
				return NULL;
			}
		}
		out = xformat("%s%.*s%.*s", before,
			      open && close ? (int)(open - tag) : (int)strlen(tag), tag, len,
			      value);
		tag = open && close ? close + 2 : "";
	}
	return out;
}

static bool is_listed(const char *list, const char *name)
{
	struct slice rest = SLICE(list ? list : ""), word;

	while (slice_next(&rest, ',', &word))
		if (slice_is(slice_trim(word), name))
			return true;
	return false;
}

/* Pairs whose names stand in the option NAME or match NAME-regex. */
static int pick(struct json_object *attrs, const struct pairs *pairs, const char *option,
		const struct pairs *options, struct err *err)
{
	AUTO(free) char *regex_option = xformat("%s-regex", option);
	const char *list = pairs_get(options, option), *text = pairs_get(options, regex_option);
	regex_t regex;

	if (text && regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(err, ERR_INVALID,
			       "logging.options.%s: \"%s\" is no regular expression", regex_option,
			       text);
	for (size_t i = 0; i < pairs->count; i++) {
		const char *name = pairs->items[i].name;

		if (is_listed(list, name) || (text && regexec(&regex, name, 0, NULL, 0) == 0))
			json_add_text(attrs, name,
				      pairs->items[i].value ? pairs->items[i].value : "");
	}
	if (text)
		regfree(&regex);
	return 0;
}

static int add_attrs(struct json_object *log, const struct service *service,
		     const struct record *record, struct err *err)
{
	const struct pairs *options = &service->logging->options;
	const char *tag = pairs_get(options, "tag");
	AUTO(json) struct json_object *attrs = json_object_new_object();
	AUTO(free) char *filled = NULL;

	if (tag && *tag) {
		filled = fill_tag(tag, record, err);
		if (!filled)
			return -1;
		json_add_text(log, "tag", filled);
		json_add_text(attrs, "tag", filled);
	}
	if (pick(attrs, &service->labels, "labels", options, err) < 0 ||
	    pick(attrs, &service->environment, "env", options, err) < 0)
		return -1;
	if (json_object_object_length(attrs))
		json_object_object_add(log, "attrs", TAKE(attrs));
	return 0;
}

int bundle_add_log(struct json_object *monitor, const struct service *service,
		   const struct record *record, struct err *err)
{
	const struct logging *logging = service ? service->logging : NULL;
	struct json_object *log = json_add_object(monitor, "log");
	const char *text;

	json_add_text(log, "driver", logging && logging->driver ? logging->driver : "json-file");
	if (!logging)
		return 0;
	if (add_size(log, "max_size", "max-size", &logging->options, err) < 0 ||
	    add_size(log, "max_buffer", "max-buffer-size", &logging->options, err) < 0)
		return -1;
	text = pairs_get(&logging->options, "max-file");
	if (text) {
		struct json_object *count = json_parse("max-file", text, strlen(text), err);

		if (!count || !json_object_is_type(count, json_type_int)) {
			json_object_put(count);
			return err_set(err, ERR_INVALID,
				       "logging.options.max-file: \"%s\" is not a whole number",
				       text);
		}
		json_object_object_add(log, "max_file", count);
	}
	text = pairs_get(&logging->options, "compress");
	if (text)
		json_add_bool(log, "compress", strcmp(text, "false") != 0);
	json_add_text(log, "mode", pairs_get(&logging->options, "mode"));
	return add_attrs(log, service, record, err);
}
