# specs/ - the formats of stack files. Pure; only load reads files.
SRCS_specs := specs/units.c
USES_specs := base
PKGS_specs := yaml-0.1 libcrypto
TESTS      += tests/specs/test_units
