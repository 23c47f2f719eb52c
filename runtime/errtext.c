/* runtime/errtext - texts of errno as engines know them.
 *
 * Owns: the first letter. May not touch: anything else of a message.
 */
#include "runtime/errtext.h"

#include <string.h>

void errtext_lower(char *text)
{
	for (char *at = text; (at = strstr(at, ": ")); at += 2)
		for (int number = 1; number < 134; number++) {
			const char *name = strerrordesc_np(number);
			size_t len = name ? strlen(name) : 0;

			if (len && strncmp(at + 2, name, len) == 0 && at[2] >= 'A' &&
			    at[2] <= 'Z' && (at[3] < 'A' || at[3] > 'Z') &&
			    (!at[2 + len] || strchr(":()", at[2 + len]))) {
				at[2] = (char)(at[2] - 'A' + 'a');
				break;
			}
		}
}
