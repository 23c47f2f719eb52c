/* orchestrator/cli/self_run - another command of our own program, about the same project.
 *
 * Owns: which global flags go on. May not touch: what the command does.
 */
#include "orchestrator/cli/self_run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static const char *const text_flags[] = { "project-name", "project-directory",
					  "root",         "runtime-root",
					  "config",       "ansi",
					  "progress",     NULL };
static const char *const list_flags[] = { "file", "env-file", "profile", NULL };

struct words {
	const char **items;
	size_t count;
};

static void add(struct words *words, const char *text)
{
	*(const char **)xgrow(&words->items, &words->count, sizeof(char *)) = text;
}

static void add_globals(struct words *words, const struct cli *cli)
{
	const struct options *globals = options_globals(cli->options);

	for (const char *const *name = text_flags; *name; name++)
		if (options_is_given(globals, *name))
			add(words, arena_format(cli->arena, "--%s=%s", *name,
						options_text(globals, *name)));
	for (const char *const *name = list_flags; *name; name++)
		for (const char *const *value = options_list(globals, *name, NULL);
		     options_is_given(globals, *name) && *value; value++)
			add(words, arena_format(cli->arena, "--%s=%s", *name, *value));
}

int self_run(const struct cli *cli, const char *const *words, struct err *err)
{
	struct words all = { NULL, 0 };
	int status;
	pid_t pid;

	add(&all, "stack");
	add_globals(&all, cli);
	for (; *words; words++)
		add(&all, *words);
	add(&all, NULL);
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(cli->program, (char *const *)(uintptr_t)all.items);
		_exit(127);
	}
	free(all.items);
	if (pid < 0)
		return err_sys(err, errno, "fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
