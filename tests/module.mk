# tests/ - what `make test` runs. Unit tests mirror the folders; a folder lists its own in module.mk.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNITS    ?=
E2E      ?=

.PHONY: test units kernel-units e2e floors
test: all
	@tests/run

floors:
	@sh tests/check_floors.sh

test-binaries: $(patsubst %,$(BUILD)/%,$(filter tests/$(UNITS)%,$(TESTS) $(KTESTS)))
.PHONY: test-binaries

# Units run under the sanitizers, from a build folder of their own.
units: floors
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/san SAN="$(SANITIZE)" CFLAGS="-O1 -g" test-binaries
	@tests/run units $(BUILD)/san $(UNITS)
