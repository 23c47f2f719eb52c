/* specs/expand - short forms of the key tables as maps: "80:80", "./a:/b", NAME ...
 *
 * Each takes one scalar and pushes the maps that it stands for; 0 or -1 with the problem noted.
 */
#pragma once
#include "specs/keys.h"

#define EXPAND(name)                                                                               \
	int name(struct shape *shape, const struct node *item, const struct path *path,            \
		 struct node *out_list)
EXPAND(expand_build);
EXPAND(expand_dependency);
EXPAND(expand_device);
EXPAND(expand_env_file);
EXPAND(expand_extends);
EXPAND(expand_gpus);
EXPAND(expand_http);
EXPAND(expand_include);
EXPAND(expand_mount);
EXPAND(expand_port);
EXPAND(expand_source);
#undef EXPAND
