/* orchestrator/cli/cmd_check - system check: the machine, then records against kernel, one line
 * each.
 *
 * Owns: how a finding is printed. May not touch: what is looked for (orchestrator/check).
 */
#include <stdio.h>

#include "orchestrator/check.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/transfer.h"

/* clang-format off */
const struct option_row check_options[] = {
	OPT_FLAG("fix", 0, "Clear what nobody owns, and repair what can be repaired"),
	OPT_END,
};
/* clang-format on */

static void print_finding(void *ctx, enum check_result result, const char *line)
{
	static const char *const words[] = { [CHECK_GOOD] = "ok",
					     [CHECK_NOTE] = "note",
					     [CHECK_WRONG] = "WRONG",
					     [CHECK_FIXED] = "fixed" };

	(void)ctx;
	printf("%-6s %s\n", words[result], line);
}

int check_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = NULL;
	size_t lacking;
	int left;

	if (cli_roots(cli, err) < 0)
		return -1;
	lacking = check_machine(cli->roots, print_finding, NULL);
	store = transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(options), "config"), err);
	if (!store)
		return -1;
	left = check_records(cli->roots, store, options_flag(options, "fix"), print_finding, NULL,
			     err);
	if (left < 0)
		return -1;
	if (!left)
		puts("ok     records and kernel agree");
	return lacking || left ? 1 : 0;
}
