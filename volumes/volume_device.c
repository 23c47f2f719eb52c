/* volumes/volume_device - volumes that are more than a folder.
 *
 * Owns: the reading of driver_opts, the mount. May not touch: records, use counts.
 */
#include "volumes/volume_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/text.h"

#define OPTIONS_MAX    64
#define END_TIMEOUT_MS 1000

/* Words of `o` that are the mount's and not the file system's. */
static const struct flag {
	const char *word;
	uint64_t set;
	bool is_recursive;
} flags[] = {
  /* clang-format off */
	{ "bind",     0, false },                  { "rbind",    0, true },
	{ "rw",       0, false },                  { "ro",       MOUNT_ATTR_RDONLY, false },
	{ "nosuid",   MOUNT_ATTR_NOSUID, false },  { "suid",     0, false },
	{ "nodev",    MOUNT_ATTR_NODEV, false },   { "dev",      0, false },
	{ "noexec",   MOUNT_ATTR_NOEXEC, false },  { "exec",     0, false },
	{ "noatime",  MOUNT_ATTR_NOATIME, false }, { "relatime", 0, false },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, false }, { "defaults", 0, false },
	{ "_netdev",  0, false },
  /* clang-format on */
};

/* What a mount asks for, taken apart. Texts point into `text` and `source`. */
struct request {
	const char *type;
	char *source, *text, *address; /* to be freed */
	struct mount_option options[OPTIONS_MAX];
	size_t option_count;
	uint64_t attrs;
	bool is_bind, is_recursive;
};

static void request_clear(struct request *request)
{
	free(request->source);
	free(request->text);
	free(request->address);
}

static const char *text_of(struct json_object *options, const char *key)
{
	const char *text = json_text_or(options, key, NULL);

	return text && *text ? text : NULL;
}

bool device_is_needed(struct json_object *options)
{
	return text_of(options, "type") || text_of(options, "device") || text_of(options, "o");
}

static const struct flag *find_flag(const char *word)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(flags[i].word, word) == 0)
			return &flags[i];
	return NULL;
}

/* Splits `o` into the mount's flags and the file system's options. */
static int split_options(struct request *request, struct err *err)
{
	char *rest = request->text, *word;

	while ((word = strsep(&rest, ",")) != NULL) {
		const struct flag *flag = find_flag(word);
		char *equals;

		if (!*word)
			continue;
		if (flag) {
			request->attrs |= flag->set;
			request->is_recursive |= flag->is_recursive;
			request->is_bind |= strcmp(word, "bind") == 0 || flag->is_recursive;
			continue;
		}
		if (request->option_count == OPTIONS_MAX)
			return err_set(err, ERR_INVALID, "more than %d options in \"o\"",
				       OPTIONS_MAX);
		equals = strchr(word, '=');
		if (equals)
			*equals = '\0';
		request->options[request->option_count++] =
			(struct mount_option){ word, equals ? equals + 1 : NULL };
	}
	return 0;
}

static int read_request(struct json_object *options, struct request *out, struct err *err)
{
	const char *o = text_of(options, "o"), *device = text_of(options, "device");

	*out = (struct request){ .type = text_of(options, "type") };
	out->text = xstrdup(o ? o : "");
	out->source = xstrdup(device ? device : out->type);
	if (split_options(out, err) < 0)
		return -1;
	if (out->is_bind && (!device || device[0] != '/'))
		return err_set(err, ERR_INVALID,
			       "driver_opts: o=bind needs device: the absolute path of a folder");
	if (!out->is_bind && (!out->type || strcmp(out->type, "none") == 0))
		return err_set(err, ERR_INVALID,
			       "driver_opts: type is missing (tmpfs, nfs, ext4 ..., or none with "
			       "o=bind)");
	if (!out->is_bind && !device && strcmp(out->type, "tmpfs") != 0)
		return err_set(err, ERR_INVALID, "driver_opts: type %s needs device", out->type);
	return 0;
}

int device_check(struct json_object *options, struct err *err)
{
	static const char *const known[] = { "type", "device", "o", "size", NULL };
	struct request request;
	int status;

	json_each(options, key, value) {
		const char *near;
		size_t i = 0;

		(void)value;
		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (known[i])
			continue;
		near = text_near_in(key, known);
		return err_set(err, ERR_INVALID,
			       "driver_opts: \"%.60s\" is not known to driver local%s%s%s", key,
			       near ? " (did you mean \"" : "", near ? near : "",
			       near ? "\"?)" : "");
	}
	if (text_of(options, "size"))
		return err_set(err, ERR_UNSUPPORTED,
			       "driver_opts: size: quotas are not supported; a tmpfs volume takes "
			       "o: size=...");
	if (!device_is_needed(options))
		return 0;
	status = read_request(options, &request, err);
	request_clear(&request);
	return status;
}

static int mount_bind(const struct request *request, int target_fd, struct err *err)
{
	AUTO(fd) int source = open(request->source, O_PATH | O_CLOEXEC);
	AUTO(fd) int clone = -1;
	struct stat st;

	if (source < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "the volume's device path does not exist: %s",
			       request->source);
	if (source < 0 || fstat(source, &st) < 0)
		return err_sys(err, errno, "%s", request->source);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "the volume's device path is no folder: %s",
			       request->source);
	clone = mount_clone(source, request->is_recursive, err);
	if (clone < 0 ||
	    mount_set(clone, request->attrs, 0, MS_PRIVATE, -1, request->is_recursive, err) < 0)
		return -1;
	return mount_attach(clone, target_fd, "the volume", err);
}

/* The kernel takes addresses only: the value of addr= (nfs) or ip= (cifs) from its name, or from
 * the device's host. */
static int resolve(struct request *request, struct err *err)
{
	bool is_cifs = text_starts(request->type, "cifs") || text_starts(request->type, "smb");
	const char *key = is_cifs ? "ip" : "addr", *name = NULL;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	AUTO(free) char *host = NULL;
	char address[NI_MAXHOST];
	struct mount_option *option = NULL;
	int status;

	if (!is_cifs && !text_starts(request->type, "nfs"))
		return 0;
	for (size_t i = 0; i < request->option_count; i++)
		if (strcmp(request->options[i].key, key) == 0 ||
		    strcmp(request->options[i].key, "addr") == 0)
			option = &request->options[i], name = option->value;
	if (!name && is_cifs)
		host = xstrndup(request->source + strspn(request->source, "/"),
				strcspn(request->source + strspn(request->source, "/"), "/"));
	else if (!name)
		host = xstrndup(request->source, strcspn(request->source, ":"));
	name = name ? name : host;
	status = getaddrinfo(name, NULL, &hints, &found);
	if (status != 0)
		return err_set(err, ERR_NOT_FOUND, "server %.100s of the volume: %s", name,
			       gai_strerror(status));
	status = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0,
			     NI_NUMERICHOST);
	freeaddrinfo(found);
	if (status != 0 || (!option && request->option_count == OPTIONS_MAX))
		return err_set(err, ERR_INVALID, "server %.100s of the volume", name);
	if (!option)
		option = &request->options[request->option_count++];
	request->address = xstrdup(address);
	*option = (struct mount_option){ key, request->address };
	return 0;
}

static int mount_fs(const struct request *request, int target_fd, struct err *err)
{
	AUTO(fd)
	int fd = mount_new(request->type, request->source, request->options, request->option_count,
			   request->attrs, err);

	if (fd < 0 || mount_set(fd, 0, 0, MS_PRIVATE, -1, false, err) < 0)
		return -1;
	return mount_attach(fd, target_fd, "the volume", err);
}

/* Deep in the kernel it may not hear us: then it stays a zombie's worth of ours until we end. */
static void end_child(pid_t pid)
{
	AUTO(fd) int pidfd = process_pidfd_open(pid);
	struct err ignored = ERR_NONE;

	kill(pid, SIGKILL);
	if (pidfd >= 0)
		process_wait_end(pidfd, END_TIMEOUT_MS, &ignored);
	waitpid(pid, NULL, WNOHANG);
}

/* The child's copies of our locks and sockets would hold them for as long as it hangs. */
static void close_others(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* In a process of its own: whatever hangs in the kernel, hangs there. The error comes home through
 * a pipe. */
static int mount_in_child(const struct request *request, int target_fd, int timeout_ms,
			  struct err *err)
{
	struct err result = ERR_NONE;
	int ends[2], status;
	struct pollfd ready;
	AUTO(fd) int out = -1;
	AUTO(fd) int in = -1;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork");
	if (pid == 0) {
		close_others(target_fd, ends[1]);
		mount_fs(request, target_fd, &result);
		_exit(write(ends[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
	}
	close(TAKE_FD(out));
	ready = (struct pollfd){ .fd = in, .events = POLLIN };
	while ((status = poll(&ready, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	if (status == 0) {
		end_child(pid);
		return err_set(err, ERR_TIMEOUT, "%s %s does not answer within %d s", request->type,
			       request->source, timeout_ms / 1000);
	}
	status = read(in, &result, sizeof(result)) == sizeof(result);
	waitpid(pid, NULL, 0);
	if (!status)
		return err_set(err, ERR_SYSTEM, "the process that mounts %s died", request->source);
	if (result.code == ERR_OK)
		return 0;
	*err = result;
	return err_wrap(err, "mount of %s %s", request->type, request->source);
}

int device_mount(struct json_object *options, int target_fd, int timeout_ms, struct err *err)
{
	struct request request;
	int status = read_request(options, &request, err);

	if (status == 0 && request.is_bind)
		status = mount_bind(&request, target_fd, err);
	else if (status == 0 && request.type && strcmp(request.type, "tmpfs") == 0)
		status = mount_fs(&request, target_fd, err);
	else if (status == 0 && request.type)
		status = resolve(&request, err) < 0
				 ? -1
				 : mount_in_child(&request, target_fd, timeout_ms, err);
	request_clear(&request);
	return status;
}

struct json_object *device_mask(struct json_object *options)
{
	static const char *const secret[] = { "password=", "pass=", "password2=", "credentials=" };
	struct json_object *out = json_object_new_object();

	json_each(options, key, value) {
		AUTO(free) char *text = xstrdup(json_object_get_string(value));
		struct slice rest = SLICE(text ? text : ""), word;
		AUTO(free) char *masked = NULL;
		size_t len = 0;
		FILE *file = open_memstream(&masked, &len);

		for (bool first = true; file && slice_next(&rest, ',', &word); first = false) {
			size_t keep = word.len;

			for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
				if (word.len >= strlen(secret[i]) &&
				    memcmp(word.at, secret[i], strlen(secret[i])) == 0)
					keep = strlen(secret[i]);
			fprintf(file, "%s%.*s%s", first ? "" : ",", (int)keep, word.at,
				keep < word.len ? "***" : "");
		}
		if (file)
			fclose(file);
		json_add_text(out, key, strcmp(key, "o") == 0 ? masked : text);
	}
	return out;
}
