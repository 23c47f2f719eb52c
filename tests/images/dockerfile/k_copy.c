/* tests/images/dockerfile/k_copy - images/dockerfile/copy, sources, placing, context on a real
 * kernel: which files a COPY takes, where they go. Root; runs in namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/images/dockerfile/build_cases.h"

/* Rows leave out what they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct copy_case {
	const char *name;
	const char *context; /* things */
	const char *below;   /* things of the stage's layer; NULL: scratch */
	const char *words;   /* sources and the destination */
	const char *shows;   /* the new layer, or "E:" and a part of the error */
	unsigned flags;
	const char *chown, *chmod, *cwd, *excludes, *ignore;
	bool is_add;
};

/* clang-format off */
static const struct copy_case cases[] = {
	{ "a file into a folder", "a=1", NULL, "a /d/", "d/ 755 0:0\nd/a 644 0:0 =1\n" },
	{ "a file under a new name", "a=1", NULL, "a /b", "b 644 0:0 =1\n" },
	{ "a file into a folder that is there", "a=1", "b/@700", "a /b", "b/ 700 0:0\nb/a 644 0:0 =1\n" },
	{ "a file over a file", "a=1", "b=2", "a /b", "b 644 0:0 =1\n" },
	{ "a relative destination", "a=1", NULL, "a b/c", "w/ 755 0:0\nw/b/ 755 0:0\nw/b/c 644 0:0 =1\n", .cwd = "/w" },
	{ "a dot is the working directory", "a=1", NULL, "a .", "w/ 755 0:0\nw/a 644 0:0 =1\n", .cwd = "/w" },
	{ "a folder's content", "d/a=1@600 d/s/@700 d/s/b=2 d@750", NULL, "d /t",
	  "t/ 755 0:0\nt/a 600 0:0 =1\nt/s/ 700 0:0\nt/s/b 644 0:0 =2\n" },
	{ "the whole context", "a=1 d/b=2", NULL, ". /", "a 644 0:0 =1\nd/ 755 0:0\nd/b 644 0:0 =2\n" },
	{ "two files", "a=1 b=2", NULL, "a b /d/", "d/ 755 0:0\nd/a 644 0:0 =1\nd/b 644 0:0 =2\n" },
	{ "two files to no folder", "a=1 b=2", NULL, "a b /d", "E:has to be a folder" },
	{ "two files to a folder without a slash", "a=1 b=2", "d/", "a b /d", "d/ 755 0:0\nd/a 644 0:0 =1\nd/b 644 0:0 =2\n" },
	{ "two folders, the later wins", "x/a=1 x/b=1 y/a=2", NULL, "x y /d/", "d/ 755 0:0\nd/a 644 0:0 =2\nd/b 644 0:0 =1\n" },
	{ "a pattern", "a.c=1 b.c=2 c.h=3", NULL, "*.c /d/", "d/ 755 0:0\nd/a.c 644 0:0 =1\nd/b.c 644 0:0 =2\n" },
	{ "a pattern of one match may rename", "a.c=1", NULL, "*.c /d", "d 644 0:0 =1\n" },
	{ "a pattern over folders", "p/1/a=1 p/2/a=2 p/2/b=3", NULL, "p/*/a /d/", "d/ 755 0:0\nd/a 644 0:0 =2\n" },
	{ "a pattern takes folders' contents", "x1/a=1 x2/b=2", NULL, "x* /d/", "d/ 755 0:0\nd/a 644 0:0 =1\nd/b 644 0:0 =2\n" },
	{ "a pattern that nothing matches", "a=1", NULL, "*.c /d/", "E:nothing in the context matches" },
	{ "a pattern without an end", "a=1", NULL, "[a /d/", "E:no pattern" },
	{ "nothing there", "a=1", NULL, "b /d/", "E:\"b\": not found in the context" },
	{ "dots cannot leave the context", "a=1", NULL, "../../a /d/", "d/ 755 0:0\nd/a 644 0:0 =1\n" },
	{ "a leading slash is the context", "a=1", NULL, "/a /d/", "d/ 755 0:0\nd/a 644 0:0 =1\n" },
	{ "links in folders stay links", "d/l->/etc/passwd d/m->../x", NULL, "d /t", "t/ 755 0:0\nt/l 777 0:0 ->/etc/passwd\nt/m 777 0:0 ->../x\n" },
	{ "a named link is followed", "a=1 l->a", NULL, "l /t", "t 644 0:0 =1\n" },
	{ "a named link keeps its name", "a=1 l->a", NULL, "l /t/", "t/ 755 0:0\nt/l 644 0:0 =1\n" },
	{ "a link to a folder", "d/a=1 l->d", NULL, "l /t/", "t/ 755 0:0\nt/a 644 0:0 =1\n" },
	{ "a link inside of a source's path", "d/a=1 l->d", NULL, "l/a /t", "t 644 0:0 =1\n" },
	{ "a link out of the context leads nowhere", "l->/etc/passwd", NULL, "l /t", "E:not found in the context" },
	{ "a link above the context leads nowhere", "l->../../../../etc/passwd", NULL, "l /t", "E:not found" },
	{ "a link in the path out of the context", "l->/etc", NULL, "l/passwd /t", "E:not found" },
	{ "an absolute link stays in the context", "etc/passwd=mine l->/etc/passwd", NULL, "l /t", "t 644 0:0 =mine\n" },
	{ "links in a circle", "a->b b->a", NULL, "a /t", "E:too many symbolic links" },
	{ "a fifo is copied and never read", "d/p|", NULL, "d /t", "t/ 755 0:0\nt/p 644 0:0 fifo\n" },
	{ "hard links stay hard links", "d/a=1 d/b&d/a", NULL, "d /t", "t/ 755 0:0\nt/a 644 0:0 x2 =1\nt/b 644 0:0 x2 =1\n" },
	{ "a hard link of which one name is taken", "d/a=1 b&d/a", NULL, "b /t", "t 644 0:0 =1\n" },
	{ "the destination's link is followed", "a=1", "real/ l->real", "a /l/", "real/ 755 0:0\nreal/a 644 0:0 =1\n" },
	{ "the destination's absolute link", "a=1", "real/ x/l->/real", "a /x/l/b", "real/ 755 0:0\nreal/b 644 0:0 =1\nx/ 755 0:0\n" },
	{ "a destination's link stays in the root", "a=1", "etc/ l->../../../etc", "a /l/passwd", "etc/ 755 0:0\netc/passwd 644 0:0 =1\n" },
	{ "a destination that is a link to a file", "a=1", "real=0 l->real", "a /l", "real 644 0:0 =1\n" },
	{ "a destination that is a dangling link", "a=1", "l->none", "a /l", "none 644 0:0 =1\n" },
	{ "a link in the place of a file is replaced", "d/f=1", "t/f->/etc/passwd", "d /t/", "t/ 755 0:0\nt/f 644 0:0 =1\n" },
	{ "a link in the place of a folder", "d/s/f=1", "t/s->/etc", "d /t/", "E:no folder" },
	{ "a folder in a file's way", "d/f=1", "t/f/", "d /t/", "E:is a folder already" },
	{ "a file in a folder's way", "d/s/f=1", "t/s=0", "d /t/", "E:no folder" },
	{ "a file in the way of the destination", "a=1", "t=0", "a /t/", "E:is no folder" },
	{ "a folder takes the new attributes", "d/s/@700 d/s/f=1", "t/s/@755 t/@711", "d /t", "t/ 711 0:0\nt/s/ 700 0:0\nt/s/f 644 0:0 =1\n" },
	{ "owners by number", "d/a=1", NULL, "d /t/u", "t/ 755 5:6\nt/u/ 755 5:6\nt/u/a 644 5:6 =1\n", .chown = "5:6" },
	{ "a number alone is the group, too", "a=1", NULL, "a /b", "b 644 7:7 =1\n", .chown = "7" },
	{ "owners by name", "a=1", "etc/passwd=joe:x:10:20::/: etc/group=grp:x:30:", "a /b", "b 644 10:30 =1\n", .chown = "joe:grp" },
	{ "a name alone brings its own group", "a=1", "etc/passwd=joe:x:10:20::/:", "a /b", "b 644 10:20 =1\n", .chown = "joe" },
	{ "an unknown name", "a=1", "etc/passwd=joe:x:10:20::/:", "a /b", "E:jim", .chown = "jim" },
	{ "a name without a base", "a=1", NULL, "a /b", "E:--chown=joe", .chown = "joe" },
	{ "modes in octal", "d/a=1 d/s/b=2 d/l->a", NULL, "d /t/", "t/ 755 0:0\nt/a 640 0:0 =1\nt/l 777 0:0 ->a\nt/s/ 640 0:0\nt/s/b 640 0:0 =2\n", .chmod = "0640" },
	{ "modes by letters", "d/a=1@600 d/s/b=2@700", NULL, "d /t/", "t/ 755 0:0\nt/a 644 0:0 =1\nt/s/ 755 0:0\nt/s/b 755 0:0 =2\n", .chmod = "u=rwX,go=rX" },
	{ "no mode at all", "a=1", NULL, "a /t", "E:--chmod=rwx", .chmod = "rwx" },
	{ "a setuid bit is kept", "a=1@4755", NULL, "a /t", "t 4755 0:0 =1\n" },
	{ "excluded by the list", "a=1 b=2", NULL, ". /", "a 644 0:0 =1\n", .ignore = "b" },
	{ "excluded by the list and named", "a=1 b=2", NULL, "b /", "E:\"b\": not found in the context (excluded by .dockerignore line 1)", .ignore = "b" },
	{ "excluded by the list under another name", "b=2 l->b", NULL, "l /t", "E:excluded by .dockerignore", .ignore = "b" },
	{ "taken back below an excluded folder", "d/a=1 d/b=2 e/c=3", NULL, ". /t/", "t/ 755 0:0\nt/d/ 755 0:0\nt/d/b 644 0:0 =2\n", .ignore = "d,e,!d/b" },
	{ "an excluded folder of which nothing is taken back", "d/a=1 x=1", NULL, ". /t/", "t/ 755 0:0\nt/x 644 0:0 =1\n", .ignore = "d,!d/zzz" },
	{ "--exclude of a folder's content", "d/a.txt=1 d/b.c=2 d/s/c.txt=3", NULL, "d /t/", "t/ 755 0:0\nt/b.c 644 0:0 =2\nt/s/ 755 0:0\n", .excludes = "**/*.txt" },
	{ "--exclude of matches", "a.txt=1 b.c=2", NULL, "* /t/", "t/ 755 0:0\nt/b.c 644 0:0 =2\n", .excludes = "*.txt" },
	{ "--parents", "a/b/c=1 a/@711", NULL, "a/b/c /t/", "t/ 755 0:0\nt/a/ 711 0:0\nt/a/b/ 755 0:0\nt/a/b/c 644 0:0 =1\n", .flags = DF_COPY_PARENTS },
	{ "--parents with a cut", "a/b/c=1", NULL, "a/./b/c /t/", "t/ 755 0:0\nt/b/ 755 0:0\nt/b/c 644 0:0 =1\n", .flags = DF_COPY_PARENTS },
	{ "--parents at any depth", "a/x.c=1 a/b/y.c=2 z.h=3", NULL, "**/*.c /t/", "t/ 755 0:0\nt/a/ 755 0:0\nt/a/b/ 755 0:0\nt/a/b/y.c 644 0:0 =2\nt/a/x.c 644 0:0 =1\n", .flags = DF_COPY_PARENTS },
	{ "--parents of a folder", "a/b/c=1 a/b/d=2", NULL, "a/b /t/", "t/ 755 0:0\nt/a/ 755 0:0\nt/a/b/ 755 0:0\nt/a/b/c 644 0:0 =1\nt/a/b/d 644 0:0 =2\n", .flags = DF_COPY_PARENTS },
	{ "--link makes its own folders", "a=1", "l->real real/@700", "a /l/a", "l/ 755 0:0\nl/a 644 0:0 =1\n", .flags = DF_COPY_LINK },
	{ "--link under a new name", "a=1", "b/", "a /b", "b 644 0:0 =1\n", .flags = DF_COPY_LINK },
	{ "names with brackets", "a[1]=x", NULL, "a\\[1] /t", "t 644 0:0 =x\n" },
	{ "an empty folder", "d/", NULL, "d /t/u", "t/ 755 0:0\nt/u/ 755 0:0\n" },
	{ "a source that is a socket's name stays out", "d/a=1", NULL, "./d/../d/a /t", "t 644 0:0 =1\n" },
	{ "ADD copies what is no archive", "a=1", NULL, "a /t", "t 644 0:0 =1\n", .is_add = true },
	{ "whiteout names are refused", "d/.wh.x=1", NULL, "d /t", "E:names that begin with .wh." },
};
/* clang-format on */

static size_t split(char *text, const char **out, size_t max)
{
	size_t count = 0;
	char *rest = text, *word;

	while (rest && count < max && (word = strsep(&rest, " ,")) != NULL)
		if (*word)
			out[count++] = word;
	return count;
}

/* What the case shows, or "E:..." */
static char *run(struct build_case *it, const struct copy_case *row, const char *below)
{
	AUTO(free) char *words = xstrdup(row->words);
	AUTO(free) char *excludes = xstrdup(row->excludes ? row->excludes : "");
	const char *list[16], *excluded[16];
	size_t count = split(words, list, 16);
	struct err err = ERR_NONE;
	AUTO(df_context) struct df_context *context = df_context_open_dir(it->folder, NULL, &err);
	AUTO(df_context)
	struct df_context *stage =
		df_context_open_layers(it->lease, &below, *below ? 1 : 0, "below");
	struct df_copy_spec spec = { .kind = row->is_add ? DF_ADD : DF_COPY,
				     .context = context,
				     .sources = list,
				     .source_count = count - 1,
				     .destination = list[count - 1],
				     .cwd = row->cwd ? row->cwd : "/",
				     .chown = row->chown,
				     .chmod = row->chmod,
				     .excludes = excluded,
				     .exclude_count = split(excludes, excluded, 16),
				     .flags = row->flags,
				     .lease = it->lease };
	struct df_layer_spec how = { .lease = it->lease, .now_unix_ns = CASE_NOW, .lower_fd = -1 };
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct df_layer layer;
	int root = *below ? df_context_root(stage, &err) : -1;
	const char *diff_id = layer.diff_id;

	if (df_context_read_ignore(context, &err) < 0 || df_copy_plan(&spec, &copy, &err) < 0 ||
	    df_copy_run(copy, root, &how, &layer, &err) < 0)
		return xformat("E:%s", err.msg);
	return build_show(it, &diff_id, *layer.diff_id ? 1 : 0);
}

static bool is_as_wanted(const char *wanted, const char *got)
{
	if (strncmp(wanted, "E:", 2) == 0)
		return strncmp(got, "E:", 2) == 0 && strstr(got, wanted + 2);
	return strcmp(wanted, got) == 0;
}

static void run_all(enum store_backend backend)
{
	size_t failed = 0;
	struct build_case it;

	build_case_open(&it, backend);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct copy_case *row = &cases[i];
		char below[DIGEST_TEXT_MAX] = "";
		AUTO(free) char *got = NULL;

		build_case_again(&it);
		build_things(it.folder, row->context);
		if (row->ignore) {
			AUTO(free) char *path = xformat("%s/.dockerignore", it.folder);
			AUTO(free) char *lines = xstrdup(row->ignore);
			FILE *file = fopen(path, "w");

			for (char *at = lines; *at; at++)
				*at = *at == ',' ? '\n' : *at;
			fprintf(file, "%s\n.dockerignore\n", lines);
			fclose(file);
		}
		if (row->below)
			build_layer(&it, row->below, below);
		got = run(&it, row, below);
		if (!is_as_wanted(row->shows, got)) {
			print_error("%s:\n  wanted %s\n  got    %s\n", row->name, row->shows, got);
			failed++;
		}
	}
	build_case_close(&it);
	assert_int_equal(failed, 0);
}

static void copies_in_folders_are_as_the_table_says(void **state)
{
	(void)state;
	run_all(STORE_DIR);
}

static void copies_in_erofs_are_as_the_table_says(void **state)
{
	(void)state;
	run_all(STORE_EROFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_in_folders_are_as_the_table_says),
		cmocka_unit_test(copies_in_erofs_are_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
