/* orchestrator/cli/usage - what a running container uses now: CPU, memory, I/O, tasks, from its
 * cgroups and /proc. Blocks (a few reads). */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct usage {
	uint64_t at_us;                          /* monotonic */
	uint64_t cpu_ns;                         /* since its start */
	uint64_t memory_bytes, memory_max_bytes; /* without the page cache that can go; max: the
						    host's without a limit */
	uint64_t read_bytes, write_bytes;
	uint64_t received_bytes, sent_bytes; /* of its interfaces but the loopback */
	uint64_t tasks;
};

/* What cannot be read (it has just ended, a controller is off) is 0. */
void usage_read(pid_t init, struct usage *out);
/* Percent of one CPU between two readings. */
double usage_cpu_percent(const struct usage *before, const struct usage *now);

/* For tests: a "key value" file's number (memory.stat, cpu.stat), 0 when absent; the sums of an
 * io.stat ("8:0 rbytes=1 wbytes=2 ...") or of a blkio file ("8:0 Read 1"); of /proc/PID/net/dev. */
uint64_t usage_key(const char *text, const char *key);
void usage_io(const char *text, uint64_t *out_read, uint64_t *out_write);
void usage_net(const char *text, uint64_t *out_received, uint64_t *out_sent);
