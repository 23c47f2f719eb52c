/* specs/pathname - paths as text: cleaning and joining. Pure; touches no file. */
#pragma once
#include "base/arena.h"

/* "/x//y/../z/" -> "/x/z"; "" -> "."; relative paths stay relative. In the arena. */
const char *pathname_clean(struct arena *arena, const char *path);
/* Absolute paths cleaned; "~" and "~/x" below home (home NULL: as they are); all others below base.
 */
const char *pathname_join(struct arena *arena, const char *base, const char *path,
			  const char *home);
/* The folder of a path, as dirname(3), without changing it. */
const char *pathname_folder(struct arena *arena, const char *path);
/* The last part of a path; "" of "/". Points into path. */
const char *pathname_base(const char *path);
