/* base/log - one line, one event: <N>event key=value ... on stderr, or on a descriptor handed down.
 *
 * Same keys everywhere: project service container image network port_host code took_ms error. Never
 * secrets, environment values or tokens. Domain folders return errors and do not log. Thread-safe
 * (one write a line). Blocks only as stderr does.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

struct log_value {
	const char *key;
	const char *text; /* NULL: number counts */
	int64_t number;
};

#define KV_S(name, value) ((struct log_value){ .key = (name), .text = (value) ? (value) : "" })
#define KV_I(name, value) ((struct log_value){ .key = (name), .number = (int64_t)(value) })

/* The ready line with its newline, without the <N>; for files that add a time. Returns its length,
 * at most size - 1 (a longer line is cut before the newline). */
size_t log_format(char *out, size_t size, const char *event, const struct log_value *values,
		  size_t count);
/* Writes the line to stderr; LOG_DEBUG only when STACK_DEBUG is set in the environment. */
void log_line(enum log_level level, const char *event, const struct log_value *values,
	      size_t count);

#define LOG_VALUES(...)                                                                            \
	(const struct log_value[]){ __VA_ARGS__ },                                                 \
		sizeof((const struct log_value[]){ __VA_ARGS__ }) / sizeof(struct log_value)
#define log_error(event, ...) log_line(LOG_ERROR, (event), LOG_VALUES(__VA_ARGS__))
#define log_warn(event, ...)  log_line(LOG_WARN, (event), LOG_VALUES(__VA_ARGS__))
#define log_info(event, ...)  log_line(LOG_INFO, (event), LOG_VALUES(__VA_ARGS__))
#define log_debug(event, ...) log_line(LOG_DEBUG, (event), LOG_VALUES(__VA_ARGS__))
