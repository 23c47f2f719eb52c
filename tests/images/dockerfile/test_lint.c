/* tests/images/dockerfile/test_lint - mirrors images/dockerfile/lint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "images/dockerfile/lint.h"

/* clang-format off */
static const struct { const char *file, *want; } rows[] = { /* "CHECK@LINE:COLUMN;" each */
	{ "FROM a\nRUN b\nCMD [\"c\"]", "" },
	{ "FROM a\nrun b\nCMD [\"c\"]", "ConsistentInstructionCasing@2:1;" },
	{ "from a\nrun b\nCMD [\"c\"]", "ConsistentInstructionCasing@3:1;" },
	{ "from a\nrun b", "" },            { "FROM a\nRun b", "ConsistentInstructionCasing@2:1;" },
	{ "FROM a\nCMD b", "JSONArgsRecommended@2:1;" },
	{ "FROM a\nENTRYPOINT b", "JSONArgsRecommended@2:1;" },
	{ "FROM a\nCMD", "" },              { "FROM a\nHEALTHCHECK CMD b", "" },
	{ "FROM a\nCMD [\"b\"]\nCMD [\"c\"]", "MultipleInstructionsDisallowed@2:1;" },
	{ "FROM a\nCMD [\"b\"]\nFROM a\nCMD [\"c\"]", "" },
	{ "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE", "MultipleInstructionsDisallowed@2:1;" },
	{ "FROM a\nMAINTAINER b", "MaintainerDeprecated@2:1;" },
	{ "FROM a\nWORKDIR b", "WorkdirRelativePath@2:9;" },
	{ "FROM a\nWORKDIR /a\nWORKDIR b", "" }, { "FROM a\nWORKDIR $X", "" },
	{ "FROM a\nWORKDIR /a\nFROM a\nWORKDIR b", "WorkdirRelativePath@4:9;" },
	{ "FROM a\nENV DB_PASSWORD=x", "SecretsUsedInArgOrEnv@2:5;" },
	{ "FROM a\nARG A TOKEN", "SecretsUsedInArgOrEnv@2:7;" },
	{ "FROM a\nENV TOKENS=1 KEYBOARD=2 PUBLIC_KEY=3", "" },
	{ "FROM a\nEXPOSE 80 80/tcp $P", "" },
	{ "FROM a\nEXPOSE 80/TCP", "ExposeProtoCasing@2:8;" },
	{ "FROM a\nEXPOSE 80 1.2.3.4:80:80", "ExposeInvalidFormat@2:11;" },
	{ "# check=skip=all\nFROM a\nCMD b", "" },
};
/* clang-format on */

static void every_file_gets_its_warnings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct df_report report = { .arena = arena, .file = "D" };
		struct df_source source;
		struct df_file file;
		struct err err = ERR_NONE;
		char got[300] = "";

		if (df_lex(&report, rows[i].file, strlen(rows[i].file), &source, &err) < 0 ||
		    df_parse(&report, &source, 0, &file, &err) < 0)
			fail_msg("%s: %s", rows[i].file, err.msg);
		df_lint(&report, &file);
		for (size_t j = 0; j < report.warning_count; j++)
			sprintf(got + strlen(got), "%s@%u:%u;",
				df_check_name(report.warnings[j].check),
				report.warnings[j].place.line, report.warnings[j].place.column);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].file, got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_file_gets_its_warnings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
