/* base/base64 - bytes as text of 64 letters and back.
 *
 * Owns: the alphabet. May not touch: line breaks; there are none.
 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *in = data;
	char *text = xcalloc(len / 3 + 2, 4), *out = text;

	for (; len > 0; out += 4) {
		size_t taken = len < 3 ? len : 3;
		uint32_t group = (uint32_t)in[0] << 16;

		group |= taken > 1 ? (uint32_t)in[1] << 8 : 0;
		group |= taken > 2 ? in[2] : 0;
		for (size_t i = 0; i < 4; i++)
			out[i] = i <= taken ? letters[group >> (18 - 6 * i) & 63] : '=';
		in += taken;
		len -= taken;
	}
	return text;
}

static int value_of(char letter)
{
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? (int)(at - letters) : -1;
}

ssize_t base64_decode(const char *text, size_t len, void *out)
{
	unsigned char *bytes = out;
	size_t padding = 0;

	if (len % 4 != 0)
		return -1;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	for (size_t at = 0; at < len; at += 4) {
		uint32_t group = 0;

		for (size_t i = 0; i < 4; i++) {
			int value = at + i >= len - padding ? 0 : value_of(text[at + i]);

			if (value < 0)
				return -1;
			group = group << 6 | (uint32_t)value;
		}
		for (size_t i = 0; i < 3 && at / 4 * 3 + i < len / 4 * 3 - padding; i++)
			*bytes++ = (unsigned char)(group >> (16 - 8 * i));
	}
	return bytes - (unsigned char *)out;
}
