/* runtime/capability - names of capabilities and their numbers. Never blocks. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* "CAP_CHOWN" or "chown", in any case; -1 when we know none of that name. */
int capability_number(const char *name);
/* "CAP_CHOWN"; NULL above the last one known. */
const char *capability_name(int number);
/* The highest number that the kernel knows; asked once a call. */
int capability_last(void);
