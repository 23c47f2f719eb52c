/* specs/checks - grammars of single texts: image, signal, address, policy ...
 *
 * Each returns 0, or -1 with ERR_INVALID that says what would be right. Pure; thread-safe; never
 * blocks.
 */
#pragma once
#include "base/err.h"

/* In the order of the names; the tables of keys name them. */
int check_capability(const char *text, struct err *err);
int check_container_name(const char *text, struct err *err);
int check_device_rule(const char *text, struct err *err);
int check_http_path(const char *text, struct err *err);
int check_idmap(const char *text, struct err *err);
int check_image(const char *text, struct err *err);
int check_ip(const char *text, struct err *err);
int check_ipc(const char *text, struct err *err);
int check_log_driver(const char *text, struct err *err);
int check_mac(const char *text, struct err *err);
int check_permissions(const char *text, struct err *err);
int check_pid(const char *text, struct err *err);
int check_platform(const char *text, struct err *err);
int check_published(const char *text, struct err *err);
int check_pull_policy(const char *text, struct err *err);
int check_regex(const char *text, struct err *err);
int check_restart(const char *text, struct err *err);
int check_schedule(const char *text, struct err *err);
int check_security_opt(const char *text, struct err *err);
int check_signal(const char *text, struct err *err);
int check_subnet(const char *text, struct err *err);
int check_target(const char *text, struct err *err);
int check_tmpfs(const char *text, struct err *err);
