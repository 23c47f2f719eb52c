/* tests/e2e/swap - exchanges pairs of names for ever: swap STOP A B [C D...]; ends when STOP is
 * there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	while (argc > 3 && access(argv[1], F_OK) < 0)
		for (int i = 2; i + 1 < argc; i += 2)
			renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE);
	return 0;
}
