/* images/platform - names of platforms and which of several fits best.
 *
 * Owns: aliases, implied variants, the order of preference.
 * May not touch: the network, files; only platform_host asks the machine.
 */
#include "images/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "base/text.h"

/* clang-format off */
static const struct {
	const char *alias, *arch, *variant;
} aliases[] = {
	{ "x86_64", "amd64", "" },   { "x86-64", "amd64", "" },   { "amd64", "amd64", "" },
	{ "aarch64", "arm64", "v8" },{ "arm64", "arm64", "v8" },
	{ "armhf", "arm", "v7" },    { "armel", "arm", "v6" },    { "armv8l", "arm", "v8" },
	{ "armv7l", "arm", "v7" },   { "armv7", "arm", "v7" },    { "armv6l", "arm", "v6" },
	{ "armv5l", "arm", "v5" },   { "arm", "arm", "v7" },
	{ "i386", "386", "" },       { "i486", "386", "" },       { "i586", "386", "" },
	{ "i686", "386", "" },       { "x86", "386", "" },        { "386", "386", "" },
	{ "ppc64le", "ppc64le", "" },{ "s390x", "s390x", "" },    { "riscv64", "riscv64", "" },
	{ "mips64", "mips64", "" },  { "mips64el", "mips64le", "" }, { "loongarch64", "loong64", "" },
};
/* clang-format on */

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

void platform_normalise(struct platform *platform)
{
	for (char *c = platform->arch; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	for (char *c = platform->os; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	if (platform->variant[0] >= '1' && platform->variant[0] <= '9' && !platform->variant[1]) {
		char digit = platform->variant[0];

		snprintf(platform->variant, sizeof(platform->variant), "v%c", digit);
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(platform->arch, aliases[i].alias) != 0)
			continue;
		copy(platform->arch, sizeof(platform->arch), aliases[i].arch);
		if (!platform->variant[0])
			copy(platform->variant, sizeof(platform->variant), aliases[i].variant);
		break;
	}
	if (strcmp(platform->arch, "amd64") == 0 && strcmp(platform->variant, "v1") == 0)
		platform->variant[0] = '\0';
}

static bool is_word(struct slice text, size_t max)
{
	if (text.len == 0 || text.len > max)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
			    text.at[i]) ||
		    !text.at[i])
			return false;
	return true;
}

static bool is_os(struct slice text)
{
	static const char *const names[] = { "linux", "windows", "darwin", "freebsd", NULL };

	for (size_t i = 0; names[i]; i++)
		if (text.len == strlen(names[i]) && strncasecmp(text.at, names[i], text.len) == 0)
			return true;
	return false;
}

static bool is_arch(struct slice text)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (text.len == strlen(aliases[i].alias) &&
		    strncasecmp(text.at, aliases[i].alias, text.len) == 0)
			return true;
	return false;
}

static int parse(const char *text, struct platform *out, struct err *err)
{
	struct slice rest = SLICE(text), part[3] = { { 0 } }, more;
	struct platform platform = { .os = "linux" };
	size_t count = 0;

	while (count < 3 && slice_next(&rest, '/', &part[count]))
		count++;
	for (size_t i = 0; i < count; i++)
		if (!is_word(part[i], 15))
			count = 0;
	if (count == 0 || slice_next(&rest, '/', &more))
		return err_set(err, ERR_INVALID,
			       "platform \"%.60s\": must be OS[/ARCH[/VARIANT]], like linux/arm64",
			       text);
	if (count == 1 && is_os(part[0])) {
		platform_host(&platform);
		snprintf(platform.os, sizeof(platform.os), "%.*s", SLICE_ARG(part[0]));
	} else if (count == 1 && !is_arch(part[0])) {
		return err_set(err, ERR_INVALID,
			       "platform \"%.60s\": no operating system or "
			       "architecture has this name",
			       text);
	} else {
		size_t arch = count == 1 || (count == 2 && is_arch(part[0])) ? 0 : 1;

		if (arch == 1)
			snprintf(platform.os, sizeof(platform.os), "%.*s", SLICE_ARG(part[0]));
		snprintf(platform.arch, sizeof(platform.arch), "%.*s", SLICE_ARG(part[arch]));
		if (arch + 1 < count)
			snprintf(platform.variant, sizeof(platform.variant), "%.*s",
				 SLICE_ARG(part[arch + 1]));
	}
	platform_normalise(&platform);
	*out = platform;
	return 0;
}

int platform_parse(const char *text, struct platform *out, struct err *err)
{
	if (parse(text, out, err) == 0)
		return 0;
	text_plain(err->msg);
	return -1;
}

#if defined(__x86_64__)
static const char *amd64_level(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("x86-64-v4"))
		return "v4";
	if (__builtin_cpu_supports("x86-64-v3"))
		return "v3";
	return __builtin_cpu_supports("x86-64-v2") ? "v2" : "";
}
#endif

void platform_host(struct platform *out)
{
	struct utsname names;

	*out = (struct platform){ .os = "linux" };
	if (uname(&names) == 0)
		snprintf(out->arch, sizeof(out->arch), "%.20s", names.machine);
	platform_normalise(out);
#if defined(__x86_64__)
	if (strcmp(out->arch, "amd64") == 0)
		copy(out->variant, sizeof(out->variant), amd64_level());
#endif
}

int platform_wanted(const char *text, struct platform *out, bool *out_explicit, struct err *err)
{
	static const char *const variables[] = { "STACK_DEFAULT_PLATFORM",
						 "DOCKER_DEFAULT_PLATFORM" };

	for (size_t i = 0; i < 2 && !(text && *text); i++)
		text = getenv(variables[i]);
	*out_explicit = text && *text;
	if (*out_explicit)
		return platform_parse(text, out, err);
	platform_host(out);
	return 0;
}

char *platform_text(const struct platform *platform, char *out)
{
	snprintf(out, PLATFORM_TEXT_MAX, "%s/%s%s%s", platform->os, platform->arch,
		 platform->variant[0] ? "/" : "", platform->variant);
	return out;
}

/* v1..v9 as a number; a missing variant is the lowest of its kind. */
static unsigned level(const struct platform *platform)
{
	const char *v = platform->variant;

	return v[0] == 'v' && v[1] >= '1' && v[1] <= '9' ? (unsigned)(v[1] - '0') : 1;
}

/* Of one architecture: as high as possible, but not above what is wanted. */
static unsigned variant_score(unsigned base, unsigned wanted, unsigned have)
{
	return have <= wanted ? base + have : 0;
}

unsigned platform_score(const struct platform *wanted, bool is_explicit,
			const struct platform *have)
{
	if (strcmp(wanted->os, have->os) != 0)
		return 0;
	if (strcmp(wanted->arch, have->arch) == 0) {
		if (strcmp(wanted->variant, have->variant) == 0)
			return 200;
		return variant_score(100, level(wanted), level(have));
	}
	if (is_explicit)
		return 0;
	if (strcmp(wanted->arch, "arm64") == 0 && strcmp(have->arch, "arm") == 0)
		return variant_score(10, 8, level(have));
	if (strcmp(wanted->arch, "amd64") == 0 && strcmp(have->arch, "386") == 0)
		return 1;
	return 0;
}
