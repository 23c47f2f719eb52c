/* tests/e2e/syscall - makes one system call and says how it ended: "ok" or the error's number.
 *
 * syscall [-32] NUMBER [ARGUMENT...]; -32: by the gate of 32-bit programs (x86). Linked statically,
 * run in containers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
static long call32(const unsigned long *a)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
static long call32(const unsigned long *a)
{
	(void)a;
	return -ENOSYS;
}
#endif

int main(int argc, char **argv)
{
	unsigned long a[7] = { 0 };
	int first = argc > 1 && strcmp(argv[1], "-32") == 0 ? 2 : 1;
	long result;

	for (int i = first; i < argc && i - first < 7; i++)
		a[i - first] = strtoul(argv[i], NULL, 0);
	if (first == 2)
		result = call32(a);
	else
		result = syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]) < 0 ? -errno : 0;
	if (result >= 0)
		puts("ok");
	else
		printf("%ld\n", -result);
	return 0;
}
