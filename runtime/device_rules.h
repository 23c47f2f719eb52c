/* runtime/device_rules - which devices a container may use: the list made complete, and as a
 * program. Pure. */
#pragma once
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/config.h"

/* The rules of config and, when they deny by default, the devices that every container has. A
 * missing list denies by default. *out to be freed. Returns the count. */
size_t device_rules_complete(const struct config_resources *resources,
			     struct config_device_rule **out);
/* True when everything is denied before the first allow. */
bool device_rules_deny_first(const struct config_device_rule *rules, size_t count);
/* A line of devices.allow: "c 1:3 rwm". */
void device_rule_line(const struct config_device_rule *rule, char *out, size_t size);
/* The rules as a BPF_PROG_TYPE_CGROUP_DEVICE program: the last rule that fits decides. *out to be
 * freed; returns the number of instructions. */
size_t device_rules_program(const struct config_device_rule *rules, size_t count,
			    struct bpf_insn **out);
