/* base/base64 - bytes as text of 64 letters and back (RFC 4648, section 4: with padding). Pure. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* Heap, NUL-terminated. */
char *base64_encode(const void *data, size_t len);

/* Decodes len letters; out has room for len / 4 * 3 bytes. Returns how many bytes there are, -1
 * when the length is no multiple of four, a letter is none, or padding stands elsewhere than at the
 * end. */
ssize_t base64_decode(const char *text, size_t len, void *out);
