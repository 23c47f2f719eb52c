# specs/ - the formats of stack files. Pure; only load reads files.
SRCS_specs := specs/check.c specs/checks.c specs/config_view.c specs/decode.c \
	specs/deploy_keys.c specs/discover.c specs/documents.c specs/dotenv.c specs/encode.c \
	specs/environment.c specs/expand.c specs/explain.c specs/extends.c specs/finish.c \
	specs/hash.c specs/include.c specs/interpolate.c specs/keys.c specs/list_forms.c \
	specs/load.c specs/merge.c specs/model.c specs/model_json.c specs/name_index.c specs/node.c \
	specs/normalise.c specs/part_keys.c specs/pathname.c specs/paths.c specs/problem.c \
	specs/profiles.c specs/project_keys.c specs/rules.c specs/scalar.c \
	specs/scalar_forms.c specs/service_keys.c specs/shape.c specs/short_forms.c \
	specs/stack_keys.c specs/support.c specs/units.c specs/vars.c specs/words.c specs/yaml.c \
	specs/yaml_write.c
USES_specs := base
PKGS_specs := yaml-0.1 json-c
TESTS      += $(addprefix tests/specs/,test_units test_vectors test_roundtrip test_support test_scalar \
	test_yaml test_interpolate test_dotenv test_short_forms test_load test_model test_config_view \
	test_checks)
FUZZERS    += $(addprefix tests/fuzz/,fuzz_specs_yaml fuzz_specs_interpolate fuzz_specs_dotenv \
	fuzz_specs_short_forms)
