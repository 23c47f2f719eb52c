/* tests/orchestrator/cli/test_template - mirrors orchestrator/cli/template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/cli/template.h"

static const char value_text[] =
	"{\"Name\":\"web\",\"On\":true,\"Off\":false,\"N\":3,\"Empty\":\"\",\"Null\":null,"
	"\"List\":[\"a\",\"b\"],\"None\":[],\"State\":{\"Status\":\"running\",\"Pid\":7},"
	"\"Networks\":{\"x\":{\"IP\":\"10.0.0.1\"},\"y\":{\"IP\":\"10.0.0.2\"}}}";

static char *render(const char *text, struct err *err)
{
	AUTO(json)
	struct json_object *value = json_parse("value", value_text, strlen(value_text), err);
	struct template *template = template_parse(text, err);
	char *result = NULL;
	size_t size = 0;
	FILE *out;

	if (!template)
		return NULL;
	out = open_memstream(&result, &size);
	template_print(template, out, value, err);
	fclose(out);
	template_free(template);
	return result;
}

static void templates_and_what_they_print(void **state)
{
	/* clang-format off */
	static const struct { const char *template, *want; } cases[] = {
		{ "",                                              "" },
		{ "plain } text",                                  "plain } text" },
		{ "{{.Name}}",                                     "web" },
		{ "{{ .State.Status }}/{{.State.Pid}}",            "running/7" },
		{ "{{json .List}}",                                "[\"a\",\"b\"]" },
		{ "{{.List}} {{.State}}",                          "[a b] map[Status:running Pid:7]" },
		{ "{{.Null}}|{{.State.Nope}}|{{.State.No.Deeper}}", "<no value>|<no value>|<no value>" },
		{ "{{.Name | upper | printf \"<%s>\"}}",           "<WEB>" },
		{ "{{if .On}}yes{{else}}no{{end}}",                "yes" },
		{ "{{if .Off}}yes{{else if .N}}n{{else}}no{{end}}", "n" },
		{ "{{if .Empty}}yes{{end}}",                       "" },
		{ "{{with .State}}{{.Status}} {{$.Name}}{{end}}",  "running web" },
		{ "{{range .List}}<{{.}}>{{end}}",                 "<a><b>" },
		{ "{{range .None}}x{{else}}none{{end}}",           "none" },
		{ "{{range $k, $v := .Networks}}{{$k}}={{$v.IP}} {{end}}", "x=10.0.0.1 y=10.0.0.2 " },
		{ "{{range $i, $v := .List}}{{$i}}{{$v}}{{end}}",  "0a1b" },
		{ "{{$n := .Name}}{{$n}}{{$n}}",                   "webweb" },
		{ "{{join .List \", \"}}",                         "a, b" },
		{ "{{index .Networks \"y\" \"IP\"}}{{index .List 1}}", "10.0.0.2b" },
		{ "{{(index .Networks \"x\").IP}}",                "10.0.0.1" },
		{ "{{len .List}}{{len .Name}}{{len .Networks}}",   "232" },
		{ "{{eq .Name \"db\" \"web\"}}{{ne .N 3}}{{not .On}}", "truefalsefalse" },
		{ "{{and .On .Name}}{{or .Off .Empty \"z\"}}",     "webz" },
		{ "{{title \"ab cd\"}}{{truncate \"abcdef\" 2}}{{pad \"x\" 1 2}}|", "Ab Cdab x  |" },
		{ "{{range split \"a,b\" \",\"}}{{println .}}{{end}}", "a\nb\n" },
		{ "a {{- .Name -}} b",                             "awebb" },
		{ "{{/* nothing */}}x",                            "x" },
		{ "a\\tb\\nc",                                     "a\tb\nc" },
		{ "{{\"q\\\"x\"}}{{`raw`}}",                       "q\"xraw" },
		{ "{{printf \"%s %d %v %q %%\" .Name .N .On .Name}}", "web 3 true \"web\" %" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *got = render(cases[i].template, &err);

		if (err.code)
			fail_msg("%s: %s", cases[i].template, err.msg);
		assert_string_equal(got, cases[i].want);
	}
}

static void mistakes_are_named(void **state)
{
	/* clang-format off */
	static const struct { const char *template, *message; } cases[] = {
		{ "{{.Name",          "template: \"}}\" is missing near \"\"" },
		{ "{{if .On}}x",      "template: \"end\" is missing near \"\"" },
		{ "{{end}}",          "template: \"end\" or \"else\" without its block near \"}}\"" },
		{ "{{}}",             "template: a value is missing near \"}}\"" },
		{ "{{| upper}}",      "template: nothing stands before the pipe near \"| upper}}\"" },
		{ "{{\"open}}",       "template: a text is not closed near \"\"" },
		{ "{{.State.}}",      "template: a field's name is missing near \"}}\"" },
		{ "{{uper .Name}}",   "template: function \"uper\" is not known (did you mean \"upper\"?)" },
		{ "{{join .List}}",   "template: join: 1 arguments do not fit" },
		{ "{{.Nam}}",         "template: there is no field \"Nam\" (did you mean \"Name\"?)" },
		{ "{{$x}}",           "template: variable $x is not set" },
		{ "{{range .N}}{{end}}", "template: range needs a list or a map" },
		{ "{{.Name 1}}",      "template: a value cannot be called with arguments" },
		{ "{{%}}",            "template: unexpected character near \"%}}\"" },
		{ "{{.}",             "template: unexpected character near \"}\"" },
		{ "{{-",              "template: \"}}\" is missing near \"\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *got = render(cases[i].template, &err);

		assert_int_equal(err.code, ERR_INVALID);
		if (cases[i].template[2] != '-')
			assert_string_equal(err.msg, cases[i].message);
	}
}

static void deep_nesting_is_refused(void **state)
{
	struct err err = ERR_NONE;
	char text[4096] = "{{";

	(void)state;
	memset(text + 2, '(', 2000);
	assert_null(template_parse(text, &err));
	assert_non_null(strstr(err.msg, "nested too deeply"));
	text[0] = '\0';
	for (int i = 0; i < 200; i++)
		strcat(text, "{{if .x}}");
	assert_null(template_parse(text, &err));
	assert_non_null(strstr(err.msg, "nested too deeply"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_and_what_they_print),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
