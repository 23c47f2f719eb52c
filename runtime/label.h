/* runtime/label - AppArmor profile and SELinux label of the program to come. Child side. */
#pragma once
#include "base/err.h"
#include "runtime/config.h"

/* Written through proc_fd (the host's verified /proc). A profile without AppArmor on the host is an
 * error, a label without SELinux is not used. */
int label_apply(const struct config_process *process, int proc_fd, struct err *err);
