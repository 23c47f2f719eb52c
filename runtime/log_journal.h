/* runtime/log_journal - records to systemd's journal in its own datagram form
 * (JOURNAL_NATIVE_PROTOCOL). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "runtime/monitor_spec.h"

struct log_journal;

/* The socket is connected at the first record; spec is borrowed. socket_path NULL: the system's.
 * Never NULL. */
struct log_journal *log_journal_open(const struct monitor_spec *spec, const char *socket_path);
void log_journal_close(struct log_journal *journal);
AUTO_TYPE(log_journal, log_journal_close);

/* One record: MESSAGE without its final newline, PRIORITY 6 or (stderr) 3, CONTAINER_ID,
 * CONTAINER_NAME ... and attrs as fields in capitals; is_partial adds
 * CONTAINER_PARTIAL_MESSAGE=true. False: the journal did not take it now (absent, or its queue is
 * full: never waited for). */
bool log_journal_put(struct log_journal *journal, const char *text, size_t n, bool is_stderr,
		     bool is_partial);
