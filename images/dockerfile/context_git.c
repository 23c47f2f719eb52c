/* images/dockerfile/context_git - a repository as a context: one commit, shallow, without hooks.
 *
 * Owns: what a git URL says (repository, ref, folder), how git is run. Declared in context_fetch.h.
 * May not touch: the caller's git configuration, terminal, credentials.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "images/dockerfile/context_inner.h"
#include "images/dockerfile/fetched.h"
#include "images/dockerfile/resolve.h"

#define TREE       "tree"
#define CONFIG     "gitconfig"
#define LOG        "log"
#define LOG_MAX    (64u << 10)
#define ARGS_MAX   24u
#define COMMIT_MIN 40u

struct clone {
	char *repository, *ref, *folder; /* ref, folder: NULL when not said */
	char *path;                      /* of the temporary folder */
	int dir_fd;
};

static const char config_text[] = "[safe]\n\tdirectory = *\n"
				  "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n"
				  "[protocol \"ext\"]\n\tallow = never\n"
				  "[protocol \"file\"]\n\tallow = user\n"
				  "[advice]\n\tdetachedHead = false\n"
				  "[init]\n\tdefaultBranch = main\n"
				  "[gc]\n\tauto = 0\n[transfer]\n\tfsckObjects = true\n";

static void clear(struct clone *clone)
{
	free(clone->repository);
	free(clone->ref);
	free(clone->folder);
	free(clone->path);
}

/* URL[#ref[:folder]]; "github.com/a/b" is https. */
static int parse(const char *url, struct clone *out, struct err *err)
{
	const char *hash = strchr(url, '#'), *colon;
	size_t len = hash ? (size_t)(hash - url) : strlen(url);
	bool is_short = text_starts(url, "github.com/");

	out->repository = xformat("%s%.*s", is_short ? "https://" : "", (int)len, url);
	if (hash) {
		colon = strchr(hash, ':');
		out->ref =
			xstrndup(hash + 1, colon ? (size_t)(colon - hash - 1) : strlen(hash + 1));
		out->folder = colon && colon[1] ? xstrdup(colon + 1) : NULL;
		if (!*out->ref)
			free(TAKE(out->ref));
	}
	if (*out->repository == '-' || strpbrk(out->repository, "\n\r"))
		return err_set(err, ERR_INVALID, "\"%.100s\" is no repository", url);
	if (out->ref &&
	    (*out->ref == '-' || strpbrk(out->ref, " \t\n\r~^?*[\\") || strstr(out->ref, "..")))
		return err_set(err, ERR_INVALID, "\"%.100s\" is no branch, tag or commit",
			       out->ref);
	return 0;
}

/* ---- running git ---- */

/* What git may see of our environment: how to reach the network, no configuration. */
static char **make_environment(const struct clone *clone)
{
	static const char *const kept[] = {
		"PATH=",          "SSH_AUTH_SOCK=", "http_proxy=", "https_proxy=", "HTTP_PROXY=",
		"HTTPS_PROXY=",   "all_proxy=",     "ALL_PROXY=",  "no_proxy=",    "NO_PROXY=",
		"SSL_CERT_FILE=", "SSL_CERT_DIR=",  "TMPDIR="
	};
	char **list = NULL;
	size_t count = 0;

	for (char **at = environ; *at; at++)
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			if (text_starts(*at, kept[i]))
				*(char **)xgrow(&list, &count, sizeof(char *)) = xstrdup(*at);
	*(char **)xgrow(&list, &count, sizeof(char *)) = xformat("HOME=%s", clone->path);
	*(char **)xgrow(&list, &count, sizeof(char *)) =
		xformat("GIT_CONFIG_GLOBAL=%s/" CONFIG, clone->path);
	*(char **)xgrow(&list, &count, sizeof(char *)) = xstrdup("GIT_CONFIG_NOSYSTEM=1");
	*(char **)xgrow(&list, &count, sizeof(char *)) = xstrdup("GIT_TERMINAL_PROMPT=0");
	*(char **)xgrow(&list, &count, sizeof(char *)) = xstrdup("GIT_ASKPASS=/bin/false");
	*(char **)xgrow(&list, &count, sizeof(char *)) =
		xstrdup("GIT_SSH_COMMAND=ssh -o BatchMode=yes");
	*(char **)xgrow(&list, &count, sizeof(char *)) = xstrdup("LC_ALL=C");
	xgrow(&list, &count, sizeof(char *));
	return list;
}

static void free_list(char **list)
{
	for (char **at = list; *at; at++)
		free(*at);
	free(list);
}

static int spawn(const struct clone *clone, const char *const *argv, pid_t *out_pid)
{
	AUTO(free) char *log = xformat("%s/" LOG, clone->path);
	char **environment = make_environment(clone);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int failure;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	failure = posix_spawnp(out_pid, "git", &actions, &attr, (char *const *)(uintptr_t)argv,
			       environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free_list(environment);
	return failure;
}

/* The last line that git said, as the error. */
static int tell(const struct clone *clone, const char *what, struct err *err)
{
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	struct slice rest, line;
	const char *last = "it failed";
	size_t len;

	if (file_read(clone->dir_fd, LOG, LOG_MAX, &text, &len, &ignored) == 0) {
		rest = (struct slice){ text, len };
		while (slice_next(&rest, '\n', &line))
			if (line.len) {
				last = line.at;
				text[line.at - text + (ptrdiff_t)line.len] = '\0';
			}
	}
	return err_set(err, ERR_NOT_FOUND, "git %s: %.160s", what,
		       text_plain(text ? (char *)(uintptr_t)last : (char[]){ "" }));
}

/* git -C TREE ARGS...; 1 fine, 0 it said no, -1. */
static int run_git(const struct clone *clone, const char *const *args, struct err *err)
{
	AUTO(free) char *tree = xformat("%s/" TREE, clone->path);
	const char *argv[ARGS_MAX] = { "git", "-C", tree };
	size_t count = 3;
	int status = 0, failure;
	pid_t pid;

	while (*args && count < ARGS_MAX - 1)
		argv[count++] = *args++;
	failure = spawn(clone, argv, &pid);
	if (failure == ENOENT)
		return err_set(err, ERR_UNSUPPORTED,
			       "a repository as a context needs the program git");
	if (failure)
		return err_sys(err, failure, "run git");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define GIT(...) run_git(clone, (const char *const[]){ __VA_ARGS__, NULL }, err)

static bool is_commit(const char *ref)
{
	return strlen(ref) >= COMMIT_MIN && strspn(ref, "0123456789abcdef") == strlen(ref);
}

/* The one commit; servers that give no commit by its name give all of them. */
static int fetch(const struct clone *clone, struct err *err)
{
	const char *ref = clone->ref ? clone->ref : "HEAD";
	int rc = GIT("init", "-q", ".");

	if (rc == 1)
		rc = GIT("fetch", "-q", "--depth=1", "--no-tags", "--", clone->repository, ref);
	if (rc != 0)
		return rc < 0 ? -1 : GIT("checkout", "-q", "--detach", "FETCH_HEAD");
	if (!is_commit(ref) && strspn(ref, "0123456789abcdef") != strlen(ref))
		return 0;
	rc = GIT("fetch", "-q", "--", clone->repository, "+refs/*:refs/remotes/origin/*");
	return rc == 1 ? GIT("checkout", "-q", "--detach", ref) : rc;
}

static int submodules(const struct clone *clone, struct err *err)
{
	if (faccessat(clone->dir_fd, TREE "/.gitmodules", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 1;
	if (GIT("remote", "add", "origin", clone->repository) < 0)
		return -1;
	return GIT("submodule", "-q", "update", "--init", "--recursive", "--depth=1");
}

static int clone_tree(const struct clone *clone, struct err *err)
{
	int rc;

	if (mkdirat(clone->dir_fd, TREE, 0755) < 0 ||
	    file_replace(clone->dir_fd, CONFIG, config_text, strlen(config_text), err) < 0)
		return err->code ? -1 : err_sys(err, errno, "make a temporary folder");
	rc = fetch(clone, err);
	if (rc == 0)
		return tell(clone, "fetch", err);
	rc = rc < 0 ? -1 : submodules(clone, err);
	return rc == 0 ? tell(clone, "submodule", err) : rc < 0 ? -1 : 0;
}

static int read_commit(const struct clone *clone, char out[65], struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;

	if (file_read(clone->dir_fd, TREE "/.git/HEAD", 256, &text, &len, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (!is_commit(text) || strlen(text) > 64)
		return err_set(err, ERR_INVALID, "git left no commit checked out");
	snprintf(out, 65, "%.64s", text);
	return 0;
}

/* ".git" of the repository and of what is in it goes. */
static int open_tree(const struct clone *clone, bool keep_git, int *out_fd, struct err *err)
{
	AUTO(fd)
	int tree = openat(clone->dir_fd, TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(arena) struct arena *arena = arena_new();
	const char *real;
	struct stat st;
	int rc;

	if (tree < 0)
		return err_sys(err, errno, "open the clone");
	if (!keep_git && tree_remove(tree, ".git", err) < 0)
		return -1;
	rc = df_resolve(tree, arena, clone->folder ? clone->folder : "", true, &real, &st, err);
	if (rc <= 0)
		return rc < 0 ? -1
			      : err_set(err, ERR_NOT_FOUND,
					"no folder \"%.100s\" in the repository", clone->folder);
	*out_fd = df_open_plain(tree, real, O_RDONLY | O_DIRECTORY);
	return *out_fd < 0 ? err_sys(err, errno, "folder \"%.100s\" of the repository", real) : 0;
}

static int make(struct df_fetched *fetched, const char *url, bool keep_git, struct err *err)
{
	struct clone clone = { .dir_fd = fetched->lock_fd };
	int fd = -1;
	int rc = parse(url, &clone, err);

	clone.path = xformat("%s/tmp/%s", store_path(fetched->store), fetched->name);
	if (rc == 0)
		rc = clone_tree(&clone, err);
	if (rc == 0)
		rc = read_commit(&clone, fetched->commit, err);
	if (rc == 0)
		rc = open_tree(&clone, keep_git, &fd, err);
	if (rc == 0)
		fetched->context = df_context_open_tree(fd, "the repository");
	clear(&clone);
	return rc;
}

struct df_fetched *df_context_from_git(struct store *store, const char *url, bool keep_git,
				       struct err *err)
{
	AUTO(df_fetched) struct df_fetched *fetched = df_fetched_new(store, err);

	if (!fetched)
		return NULL;
	if (make(fetched, url, keep_git, err) < 0) {
		err_wrap(err, "%.100s", url);
		return NULL;
	}
	return TAKE(fetched);
}
