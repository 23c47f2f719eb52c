/* tests/fuzz/fuzz_specs_interpolate - variables in hostile texts, and the list of their names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/interpolate.h"

#define INPUT_MAX 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct vars vars = { .arena = arena };
	struct interpolation how = { .arena = arena, .vars = &vars };
	struct variable_list list = { .arena = arena };
	const char *out = NULL, *message = NULL;
	struct node *node;

	if (size > INPUT_MAX)
		return 0;
	vars_set(&vars, "A", "value of $A");
	vars_set(&vars, "E", "");
	node = node_new_text(arena, (struct place){ 0 },
			     arena_strndup(arena, (const char *)data, size));
	if (interpolate_text(&how, node->text, &out, &message) != INTERPOLATE_OK && !message)
		abort();
	interpolate_list(&list, node);
	interpolate_sort(&list);
	for (size_t i = 1; i < list.count; i++)
		if (strcmp(list.items[i - 1].name, list.items[i].name) >= 0)
			abort();
	return 0;
}
