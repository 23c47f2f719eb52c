/* runtime/devices - nodes and links in /dev, and the console. Child side (init). */
#pragma once
#include "base/err.h"
#include "runtime/init.h"

/* Nodes and links in the container's /dev; none when the host's /dev is bound there. */
int devices_make(struct init_job *job, struct err *err);
/* /dev becomes read-only when its mount asks for it. */
int devices_close(struct init_job *job, struct err *err);
/* Opens the host's /dev/null, verifies it, and attaches a clone of it that later clones can be
 * taken from. */
int devices_open_null(struct init_job *job, struct err *err);

/* A pty of the devpts at PTS_FD's root (the container's /dev/pts): master and slave, size and owner
 * set. The slave is found through the master. */
struct console_spec {
	unsigned height, width; /* 0: as the kernel makes it */
	uid_t uid;              /* of the slave; its group stays the mount's */
	bool plain_lines;       /* output has no carriage returns: whoever shows it adds them */
};
int console_make(int root_fd, const struct console_spec *spec, int *out_master, int *out_slave,
		 struct err *err);
/* Binds the slave on /dev/console. */
int console_bind(struct init_job *job, int slave_fd, struct err *err);
/* Makes it the controlling terminal and 0, 1, 2. */
int console_take(int slave_fd, struct err *err);
