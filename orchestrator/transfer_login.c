/* orchestrator/transfer_login - passwords: found for a transfer, proved and kept, forgotten.
 *
 * Owns: which hosts of a registry are asked for, `stack login` and `stack logout`.
 * May not touch: credential files themselves (images/credentials).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/text.h"
#include "orchestrator/transfer_state.h"

int transfer_login_prepare(struct transfer_login_job *job, struct registry_settings *settings,
			   const char *domain, const char *path, unsigned flags, struct err *err)
{
	struct registry_endpoint **endpoints = NULL;
	size_t count = 0;

	memset(job, 0, sizeof(*job));
	if (registry_endpoints(settings, domain, flags, &endpoints, &count, err) < 0)
		return -1;
	job->domain = xstrdup(domain);
	job->path = xstrdup(path);
	for (size_t i = count > TRANSFER_HOSTS_MAX ? count - TRANSFER_HOSTS_MAX : 0; i < count; i++)
		job->hosts[job->host_count++] = xstrdup(endpoints[i]->host);
	free(endpoints);
	return 0;
}

static void keep_warning(void *ctx, const char *line)
{
	struct transfer_login_job *job = ctx;

	if (!job->warning)
		job->warning = xstrdup(line);
}

int transfer_login_find(struct transfer_login_job *job, struct err *err)
{
	for (size_t i = 0; i < job->host_count; i++) {
		const char *domain = i + 1 == job->host_count ? job->domain : job->hosts[i];

		if (credentials_find(domain, job->path, &job->found[i], keep_warning, job, err) < 0)
			return -1;
	}
	return 0;
}

void transfer_login_done(struct transfer_login_job *job, struct session *session)
{
	for (size_t i = 0; i < job->host_count; i++) {
		if (session && !credential_is_empty(&job->found[i]))
			session_add_credential(session, job->hosts[i], job->path, &job->found[i]);
		credential_clear(&job->found[i]);
		free(job->hosts[i]);
	}
	free(job->domain);
	free(job->path);
	free(job->warning);
	memset(job, 0, sizeof(*job));
}

struct proof {
	struct transfer_loop *loop;
	struct err err;
};

static void proved(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct proof *proof = ctx;

	(void)answer;
	proof->err = *err;
	uv_stop(transfer_loop_uv(proof->loop));
}

/* GET /v2/ with the pair. */
static int prove(const char *domain, const char *user, const char *secret,
		 const struct transfer_options *options, struct err *err)
{
	AUTO(registry_settings)
	struct registry_settings *settings = registry_settings_load(options->config_path, err);
	AUTO(transfer_loop)
	struct transfer_loop *loop = settings ? transfer_loop_new(2, err) : NULL;
	AUTO(session) struct session *session = NULL;
	const struct credential pair = { .user = (char *)(uintptr_t)user,
					 .secret = (char *)(uintptr_t)secret };
	struct proof proof = { .loop = loop };
	const struct exchange_spec spec = {
		.domain = domain,
		.method = "GET",
		.flags = EXCHANGE_ORIGIN_ONLY,
		.body_fd = -1,
		.body_max_bytes = 65536,
		.ctx = &proof,
		.done = proved,
	};

	if (!loop)
		return -1;
	session = session_new(transfer_loop_fetch(loop), settings);
	session_add_credential(session, ref_api_host(domain), NULL, &pair);
	if (!exchange_start(session, &spec, err))
		return -1;
	transfer_loop_run(loop);
	if (proof.err.code == ERR_DENIED && strstr(proof.err.msg, "wrong user name"))
		return err_set(err, ERR_DENIED, "registry %s: wrong user name or password", domain);
	*err = proof.err;
	return err->code ? -1 : 0;
}

/* "https://host/" and "host" to the domain of a reference. */
static char *domain_of(const char *registry)
{
	const char *host;
	char *domain;

	if (!registry || !*registry)
		return xstrdup("docker.io");
	host = strstr(registry, "://") ? strstr(registry, "://") + 3 : registry;
	domain = xstrndup(host, strcspn(host, "/"));
	if (strcmp(domain, "index.docker.io") == 0 || strcmp(domain, "registry-1.docker.io") == 0) {
		free(domain);
		domain = xstrdup("docker.io");
	}
	return domain;
}

int transfer_login(const char *registry, const char *user, const char *secret,
		   const struct transfer_options *options, char **out_where, struct err *err)
{
	AUTO(free) char *domain = domain_of(registry);

	prctl(PR_SET_DUMPABLE, 0);
	if (!*user || strchr(user, ':'))
		return err_set(err, ERR_INVALID, "a user name is not empty and holds no colon");
	if (prove(domain, user, secret, options, err) < 0)
		return -1;
	return credentials_store(domain, user, secret, out_where, err);
}

int transfer_logout(const char *registry, bool *out_had, struct err *err)
{
	AUTO(free) char *domain = domain_of(registry);

	return credentials_erase(domain, out_had, err);
}
