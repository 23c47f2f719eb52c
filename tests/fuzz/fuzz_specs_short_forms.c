/* tests/fuzz/fuzz_specs_short_forms - ports, mounts, devices, hosts, commands, sizes, durations,
 * checks.
 *
 * The first byte chooses the grammar. What a grammar accepts must keep its own promises.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/checks.h"
#include "specs/short_forms.h"
#include "specs/units.h"
#include "specs/words.h"

#define INPUT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int (*const checks[])(const char *text, struct err *err) = {
	check_capability,  check_container_name,
	check_device_rule, check_http_path,
	check_idmap,       check_image,
	check_ip,          check_ipc,
	check_log_driver,  check_mac,
	check_permissions, check_pid,
	check_platform,    check_published,
	check_pull_policy, check_restart,
	check_schedule,    check_security_opt,
	check_signal,      check_subnet,
	check_target,      check_tmpfs,
};

static void try_port(struct arena *arena, const char *text, struct err *err)
{
	struct port *ports = NULL;
	size_t count = 0;

	if (short_port(arena, text, &ports, &count, err) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (ports[i].target == 0 || ports[i].target > 65535 || !ports[i].protocol)
			abort();
}

static void try_mount(struct arena *arena, const char *text, struct err *err)
{
	const char *unknown;
	struct mount mount;

	if (short_mount(arena, text, &mount, &unknown, err) == 0 && mount.target[0] != '/')
		abort();
}

static void try_duration(const char *text, struct err *err)
{
	char printed[UNITS_DURATION_LEN];
	uint64_t us, again;

	if (units_parse_duration(text, &us, err) < 0)
		return;
	units_print_duration(us, printed);
	if (units_parse_duration(printed, &again, err) < 0 || again != us)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	struct device device;
	struct texts words;
	const char *text, *out;
	uint64_t number;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	text = arena_strndup(arena, (const char *)data + 1, size - 1);
	switch (data[0] % 8) {
	case 0:
		try_port(arena, text, &err);
		break;
	case 1:
		try_mount(arena, text, &err);
		break;
	case 2:
		short_device(arena, text, &device, &err);
		break;
	case 3:
		short_host(arena, text, &out, &err);
		break;
	case 4:
		words_split(arena, text, &words, &out, &err);
		break;
	case 5:
		units_parse_bytes(text, &number, &err);
		break;
	case 6:
		try_duration(text, &err);
		break;
	default:
		checks[data[0] / 8 % (sizeof(checks) / sizeof(*checks))](text, &err);
	}
	return 0;
}
