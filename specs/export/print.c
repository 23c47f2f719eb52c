/* specs/export/print - documents as YAML, and their end.
 *
 * Owns: nothing but the order of members, which is the object's. May not touch: quotes
 * (specs/yaml_write).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "specs/export/export.h"
#include "specs/yaml_write.h"

const char *export_yaml(struct arena *arena, struct json_object *object)
{
	AUTO(free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct text_writer writer = { .out = out, .arena = arena };

	text_begin(&writer, NULL);
	json_each(object, key, value)
		text_member(&writer, key, value);
	text_end(&writer);
	fclose(out);
	return arena_strndup(arena, text, len);
}

void export_result_free(struct export_result *result)
{
	for (size_t i = 0; i < result->document_count; i++)
		json_object_put(result->documents[i].object);
	*result = (struct export_result){ 0 };
}
