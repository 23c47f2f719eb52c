/* orchestrator/cli/complete - what may stand next on a command line, and the shells' scripts that
 * ask.
 *
 * Owns: the walk over words that may be unfinished. May not touch: what services or images there
 * are; the caller hands them in.
 */
#include "orchestrator/cli/complete.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

struct walk {
	FILE *out;
	const char *prefix; /* the unfinished word */
	const struct option_row *tables[4];
	size_t table_count;
	const struct command *command;
	size_t argument_count;
	bool stopped;                     /* all that follows belongs to another program */
	const struct option_row *awaited; /* the word is this flag's value */
};

static void offer(const struct walk *walk, const char *before, const char *word, size_t len,
		  const char *help)
{
	size_t prefix = strlen(walk->prefix);
	AUTO(free) char *whole = xformat("%s%.*s", before, (int)len, word);

	if (strncmp(whole, walk->prefix, prefix) == 0)
		fprintf(walk->out, "%s\t%s\n", whole, help ? help : "");
}

static void end(const struct walk *walk, const char *what)
{
	fprintf(walk->out, ":%s\n", what);
}

static const struct option_row *row_of_word(const struct walk *walk, const char *word)
{
	for (size_t i = walk->table_count; i-- > 0;) {
		const struct option_row *row =
			word[1] == '-'
				? option_row_named(walk->tables[i], word + 2,
						   strcspn(word + 2, "="))
				: option_row_lettered(walk->tables[i], word[strlen(word) - 1]);

		if (row)
			return row;
	}
	return NULL;
}

static void step(struct walk *walk, const char *word)
{
	const struct command *child;

	if (walk->awaited) {
		walk->awaited = NULL;
		return;
	}
	if (walk->stopped)
		return;
	if (word[0] == '-' && word[1]) {
		const struct option_row *row = row_of_word(walk, word);

		if (row && row->kind != OPTION_FLAG && !strchr(word, '='))
			walk->awaited = row;
		return;
	}
	child = walk->argument_count ? NULL : command_child(walk->command, word);
	if (!child) {
		walk->argument_count++;
		return;
	}
	walk->command = child;
	if (walk->table_count < sizeof(walk->tables) / sizeof(walk->tables[0]))
		walk->tables[walk->table_count++] = child->options;
}

static void offer_choices(const struct walk *walk, const struct option_row *row, const char *before)
{
	struct slice rest = SLICE(row->value), word;

	while (row->kind == OPTION_CHOICE && slice_next(&rest, '|', &word))
		offer(walk, before, word.at, word.len, row->help);
}

static const char *files_or_none(const struct option_row *row)
{
	struct slice value = SLICE(row->value ? row->value : "");

	if (slice_is(value, "DIR"))
		return "folders";
	return slice_is(value, "FILE") ? "files" : "none";
}

static void offer_flags(const struct walk *walk)
{
	for (size_t i = walk->table_count; i-- > 0;)
		for (const struct option_row *row = walk->tables[i]; row && row->name; row++)
			if (!(row->flags & OPTION_HIDDEN))
				offer(walk, "--", row->name, strlen(row->name), row->help);
	offer(walk, "--", "help", 4, "Show what the command does");
}

static void add_name(void *ctx, const char *name)
{
	offer(ctx, "", name, strlen(name), NULL);
}

static void offer_arguments(struct walk *walk, const struct command *root, int count, char **words,
			    complete_names *names, void *ctx)
{
	struct err err = ERR_NONE;
	AUTO(options) struct options *so_far = NULL;
	AUTO(free) char **argv = NULL;

	for (const struct command *child = walk->command->children;
	     child && child->name && walk->argument_count == 0; child++)
		if (!(child->flags & COMMAND_HIDDEN))
			offer(walk, "", child->name, strlen(child->name), child->summary);
	if (!names || walk->command->argument_kind == ARGUMENT_OTHER ||
	    walk->command->argument_kind == ARGUMENT_FILE)
		return;
	so_far = options_new(root);
	argv = xcalloc((size_t)count + 1, sizeof(*argv));
	for (int i = 0; i + 1 < count; i++)
		argv[i + 1] = words[i];
	options_parse(so_far, count, argv,
		      &err); /* as far as it goes; too few arguments are fine */
	names(ctx, walk->command->argument_kind, so_far, add_name, walk);
}

void complete_print(FILE *out, const struct command *root, int count, char **words,
		    complete_names *names, void *ctx)
{
	struct walk walk = { .out = out, .command = root };
	const char *equals;

	walk.tables[walk.table_count++] = root->options;
	for (int i = 0; i + 1 < count; i++) {
		step(&walk, words[i]);
		walk.stopped = walk.argument_count && (walk.command->flags & COMMAND_STOPS);
	}
	walk.prefix = count > 0 ? words[count - 1] : "";
	equals = walk.prefix[0] == '-' ? strchr(walk.prefix, '=') : NULL;
	if (walk.stopped) {
		end(&walk, "files");
	} else if (walk.awaited) {
		offer_choices(&walk, walk.awaited, "");
		end(&walk, files_or_none(walk.awaited));
	} else if (equals) {
		const struct option_row *row = row_of_word(&walk, walk.prefix);
		AUTO(free) char *before = xstrndup(walk.prefix, (size_t)(equals - walk.prefix) + 1);

		if (row)
			offer_choices(&walk, row, before);
		end(&walk, row ? files_or_none(row) : "none");
	} else if (walk.prefix[0] == '-') {
		offer_flags(&walk);
		end(&walk, "none");
	} else {
		offer_arguments(&walk, root, count, words, names, ctx);
		end(&walk, walk.command->argument_kind == ARGUMENT_FILE ? "files" : "none");
	}
}

/* @ stands for the program's name. */
static const char bash_script[] =
	"# bash completion of @: source <(@ completion bash)\n"
	"_@_complete() {\n"
	"\tlocal line last='' words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:*) last=$line ;;\n"
	"\t\t*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(@ __complete -- \"${words[@]}\" 2>/dev/null)\n"
	"\tcase $last in\n"
	"\t:files) compopt -o filenames; mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen "
	"-f -- \"${words[-1]}\") ;;\n"
	"\t:folders) compopt -o filenames; mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < "
	"<(compgen -d -- \"${words[-1]}\") ;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _@_complete @\n";

static const char zsh_script[] =
	"#compdef @\n"
	"# zsh completion of @: source <(@ completion zsh)\n"
	"_@() {\n"
	"\tlocal line last='' name help\n"
	"\tlocal -a offers\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:*) last=$line ;;\n"
	"\t\t*) name=${line%%$'\\t'*} help=${line#*$'\\t'}; offers+=(\"${name//:/\\\\:}:$help\") "
	";;\n"
	"\t\tesac\n"
	"\tdone < <(@ __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\t(( ${#offers} )) && _describe @ offers\n"
	"\tcase $last in\n"
	"\t:files) _files ;;\n"
	"\t:folders) _files -/ ;;\n"
	"\tesac\n"
	"}\n"
	"compdef _@ @\n";

static const char fish_script[] = "# fish completion of @: @ completion fish | source\n"
				  "function __@_complete\n"
				  "\tset -l words (commandline -opc)[2..-1] (commandline -ct)\n"
				  "\tfor line in (@ __complete -- $words 2>/dev/null)\n"
				  "\t\tswitch $line\n"
				  "\t\tcase ':files'\n"
				  "\t\t\t__fish_complete_path (commandline -ct)\n"
				  "\t\tcase ':folders'\n"
				  "\t\t\t__fish_complete_directories (commandline -ct)\n"
				  "\t\tcase ':*'\n"
				  "\t\tcase '*'\n"
				  "\t\t\techo $line\n"
				  "\t\tend\n"
				  "\tend\n"
				  "end\n"
				  "complete -c @ -f -a '(__@_complete)'\n";

int complete_print_script(FILE *out, const struct command *root, const char *shell, struct err *err)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = {
		{"bash",  bash_script},
		{ "zsh",  zsh_script },
		{ "fish", fish_script},
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].shell, shell) != 0)
			continue;
		for (const char *c = scripts[i].script; *c; c++)
			if (*c == '@' && c[1] != '}' && c[1] != ')' && c[1] != ']')
				fputs(root->name, out);
			else
				fputc(*c, out);
		return 0;
	}
	return err_set(err, ERR_INVALID, "no completion for \"%.40s\": bash, zsh or fish", shell);
}
