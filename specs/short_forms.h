/* specs/short_forms - one-line forms of ports, mounts, devices, hosts, and other small grammars.
 *
 * Pure: text in, struct out, nothing looked up. Everything made lives in the arena. Errors:
 * ERR_INVALID that names the text. Thread-safe; never blocks. Source: Compose Specification, short
 * syntaxes.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "specs/model_parts.h"

/* "[[IP:][HOST]:]CONTAINER[/PROTOCOL]", ranges too: one struct port for each pair. mode is ingress.
 */
int short_port(struct arena *arena, const char *text, struct port **out_ports, size_t *out_count,
	       struct err *err);
/* "80", or "7000-7005" as the `published` of a long form; port 0 is fine. */
int short_port_range(const char *text, unsigned *out_low, unsigned *out_high, struct err *err);

/* "[SOURCE:]TARGET[:OPTIONS]". *out_unknown: options that nobody knows, NULL when none. */
int short_mount(struct arena *arena, const char *text, struct mount *out, const char **out_unknown,
		struct err *err);

/* "SOURCE[:TARGET[:PERMISSIONS]]" */
int short_device(struct arena *arena, const char *text, struct device *out, struct err *err);

/* "HOST=IP" or "HOST:IP" to "HOST=IP", brackets of IPv6 dropped. */
int short_host(struct arena *arena, const char *text, const char **out_entry, struct err *err);

/* no | always | unless-stopped | on-failure[:N]; *out_attempts 0 when there is no N. */
int short_restart(const char *text, const char **out_word, uint64_t *out_attempts, struct err *err);

/* IPv4 or IPv6 address, nothing around it. */
bool short_is_ip(const char *text);
