/* images/platform - os/arch/variant: parsing, names, and which of several fits best.
 *
 * Pure but for platform_host, which asks uname and cpuid. Plain data, thread-safe. spec: OCI
 * image-index "platform"; the order of preference is docker's and containerd's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PLATFORM_TEXT_MAX 72

struct platform {
	char os[24];
	char arch[24];
	char variant[16]; /* "" when none: v8 is implied for arm64, v7 for arm, v1 for amd64 */
};

/* "linux/arm64/v8", "linux/amd64", "arm64", with docker's aliases (x86_64, aarch64, armhf …). A
 * text without os means linux. Errors: INVALID naming the text. */
int platform_parse(const char *text, struct platform *out, struct err *err);
/* Puts aliases and implied variants in one form, in place. */
void platform_normalise(struct platform *platform);
/* What this machine runs. */
void platform_host(struct platform *out);
/* What is wanted: text when given, else STACK_DEFAULT_PLATFORM, DOCKER_DEFAULT_PLATFORM, else the
 * host. *out_explicit tells whether a text or a variable decided. */
int platform_wanted(const char *text, struct platform *out, bool *out_explicit, struct err *err);
/* "linux/arm64/v8". Returns out (PLATFORM_TEXT_MAX bytes). */
char *platform_text(const struct platform *platform, char *out);

/* How well `have` serves `wanted`: 0 not at all, higher is better. Without an explicit request
 * 32-bit relatives (amd64 -> 386, arm64 -> arm) serve as a last resort. */
unsigned platform_score(const struct platform *wanted, bool is_explicit,
			const struct platform *have);
