/* images/curl_lib - libcurl, loaded when a transfer begins and not before.
 *
 * Owns: the library's name and the look-up of its functions. May not touch: what they are used for.
 * Source: dlopen(3); the soname that every libcurl 7 and 8 has.
 */
#include "images/curl_lib.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

static int find(void *library, const char *name, void *out_function, struct err *err)
{
	void *found = dlsym(library, name);

	if (!found)
		return err_set(err, ERR_NOT_FOUND, "libcurl: has no %s", name);
	memcpy(out_function, &found, sizeof(found)); /* ISO C casts no object to a function */
	return 0;
}

int curl_lib_load(struct curl_lib *out, struct err *err)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!library)
		return err_set(err, ERR_NOT_FOUND, "libcurl: %s", dlerror());
#define CURL_LIB_FIND(name)                                                                        \
	if (find(library, "curl_" #name, &out->name, err) < 0)                                     \
		return -1;
	CURL_LIB_FUNCTIONS(CURL_LIB_FIND)
#undef CURL_LIB_FIND
	if (out->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_SYSTEM, "libcurl: cannot start");
	return 0;
}
