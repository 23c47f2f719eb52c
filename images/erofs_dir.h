/* images/erofs_dir - a folder of the tree as EROFS directory blocks. For images/erofs only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "images/layer_tree.h"

/* Children in byte order from now on. */
void erofs_dir_sort(struct layer_tree *tree, uint32_t name);
/* Of a sorted folder. */
uint64_t erofs_dir_size(const struct layer_tree *tree, uint32_t name);
/* The blocks, erofs_dir_size() bytes rounded up to a block, to be freed; children have their
 * numbers. */
char *erofs_dir_bytes(const struct layer_tree *tree, uint32_t name);
/* 2 and one for each folder in it. */
uint32_t erofs_dir_links(const struct layer_tree *tree, uint32_t name);
bool erofs_dir_has_whiteout(const struct layer_tree *tree, uint32_t name);
