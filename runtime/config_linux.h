/* runtime/config_linux - the tables of the `linux` object of config.json. Internal to the config
 * rooms. */
#pragma once
#include "runtime/config.h"
#include "runtime/config_decode.h"

/* Targets: struct config, struct config_resources, struct config_seccomp, struct
 * config_id_maps.at[]. */
extern const struct field config_linux_fields[];
extern const struct field config_resources_fields[];
extern const struct field config_seccomp_fields[];
extern const struct field config_id_map_fields[];

/* Names of namespaces, for messages and `features`; ended by NULL. */
extern const struct word config_namespace_words[];
extern const struct word config_memory_policy_words[];
/* SCMP_ACT_*, SCMP_CMP_* names. */
extern const struct word config_seccomp_actions[];
extern const struct word config_seccomp_operators[];

/* What no single field knows: clashes, missing partners, limits. ERR_INVALID names the key. */
int config_check_linux(const struct config *config, struct err *err);
int config_check_resources(const struct config_resources *resources, struct err *err);
int config_check_seccomp(const struct config_seccomp *seccomp, struct err *err);
