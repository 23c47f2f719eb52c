/* orchestrator/cli/logs - the logs of a project's containers, merged, prefixed, coloured; and `up`
 * in the foreground. Blocks. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "orchestrator/cli/cli.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/log_reader.h"

struct logs_view {
	const char *const *services; /* NULL-terminated; none: all */
	const char *const *excluded; /* NULL-terminated or NULL */
	struct log_options log;
	unsigned index;        /* one replica; 0: all */
	const char *container; /* an ID: that one alone, one-off or not; NULL: by service */
	const char *grep;      /* extended regular expression, or NULL */
	const struct project *attaches; /* unless services are named, those with attach: false
					   are left out; NULL: not asked */
	bool timestamps, no_prefix, colours;
	bool split_streams; /* stderr of containers on our stderr (up) */
	bool stays;         /* goes on when all have ended: somebody starts them again */
	bool announce;      /* "Attaching to ..." first, "NAME exited with code N" when one ends */
	/* Called when a container ends; true ends the view. NULL: the view ends when all have
	 * ended. */
	bool (*ended)(void *ctx, const char *service, const char *name, int code);
	void *ctx;
};

/* Prints until the end of the logs, or (follow) until all containers have ended, or INT: then
 * *out_interrupted. */
int logs_show(struct cli *cli, const struct project_dirs *dirs, const struct logs_view *view,
	      bool *out_interrupted, struct err *err);

/* --follow, --tail, --since and --until of a command that has them (cmd_logs). */
int logs_read_options(const struct options *options, struct log_options *out, struct err *err);

/* After `up` without -d: shows the logs from since_ns on (when the command began); the first INT or
 * TERM stops the project. Exit status of up. */
int logs_foreground(struct cli *cli, const struct options *options, const struct project *project,
		    struct client *client, uint64_t since_ns, struct err *err);
