# tests/ - what `make test` runs. Unit tests mirror the folders; a folder lists its own in module.mk.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANBUILD  = BUILD=$(BUILD)/san SAN="$(SANITIZE)" CFLAGS="-O1 -g"
UNITS    ?=
E2E      ?=
FUZZ     ?=
FUZZ_SECONDS ?= 20

.PHONY: test test-crash crash-sample test-vm units e2e floors deps demo check fuzz sequences list-tests list-programs test-binaries san-binaries list-fuzzers
test: deps
	@$(MAKE) --no-print-directory all
	@env -u MAKEFLAGS -u MFLAGS BUILD=$(BUILD) tests/run

deps:
	@tests/deps

floors:
	@sh tests/check_floors.sh

list-tests:
	@printf '%s\n' $(filter tests/$(UNITS)%,$(TESTS) $(KTESTS))
list-fuzzers:
	@printf '%s\n' $(FUZZERS)

list-programs:
	@printf '%s\n' $(PROGRAMS)

test-binaries: $(patsubst %,$(BUILD)/%,$(filter tests/$(UNITS)%,$(TESTS) $(KTESTS)))

# Units run under the sanitizers, from a build folder of their own.
san-binaries:
	@$(MAKE) --no-print-directory $(SANBUILD) UNITS=$(UNITS) test-binaries

units: floors san-binaries
	@tests/run units $(BUILD)/san $(UNITS)

e2e: all
	@tests/run e2e $(BUILD) $(E2E)

# A kernel with cgroup v2 alone, systemd as init, power cuts: in qemu. VM="e2e:network": other jobs (tests/vm/run).
VM ?=
test-vm:
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/vm CRASH=1 $(BUILD)/vm/stack-runtime
	@$(MAKE) --no-print-directory $(SANBUILD) UNITS=runtime/k_ test-binaries
	@$(MAKE) --no-print-directory $(SANBUILD) UNITS=base/k_ test-binaries
	@env -u MAKEFLAGS -u MFLAGS BUILD=$(BUILD) tests/vm/run $(VM)

# 200 services, 1,000 restarts, 100 MB/s of logs. CASES=logs: one of them (tests/load/run).
CASES ?=
.PHONY: test-load
test-load: deps all
	@tests/images-build/build
	@STACK_BUILD=$(abspath $(BUILD)) CASES="$(CASES)" tests/lib/netns tests/load/run

# The supervisor killed at every named stage of up, recreate, scale and down (CRASH_FLOWS="up down": these alone).
CRASH_FLOWS ?=
test-crash: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/crash CRASH=1 all
	@tests/images-build/build
	@env -u MAKEFLAGS -u MFLAGS tests/crash/run $(BUILD)/crash $(CRASH_FLOWS)
	@STACK_BUILD=$(abspath $(BUILD)/crash) tests/lib/netns bats -f 'named stage' tests/e2e/build-failures.bats

# What `make test` does of it: a supervisor under the sanitizers, which have the crash points, beside the plain rest;
# and the runtime likewise, for its own crash points.
crash-sample: all
	@$(MAKE) --no-print-directory $(SANBUILD) $(BUILD)/san/stack $(BUILD)/san/stack-runtime
	@mkdir -p $(BUILD)/crash-sample/runtime
	@cp -f $(BUILD)/san/stack-runtime $(BUILD)/crash-sample/runtime/
	@mkdir -p $(BUILD)/crash-sample
	@cp -f $(BUILD)/san/stack $(addprefix $(BUILD)/,stack-runtime stack-init stack-netd) $(BUILD)/crash-sample/

# 40 Dockerfiles with ours and with buildah, minutes: not part of test. CASES="copy run": some of them.
.PHONY: compare-build
compare-build: all
	@tests/images-build/build
	@STACK_BUILD=$(abspath $(BUILD)) tests/lib/netns tests/compare/build $(CASES)

# Random commands and deaths of our processes at named stages, SEQUENCES of them from the seed SEED on: some 3 s each.
SEQUENCES ?= 100
SEED      ?= 1
sequences: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/crash CRASH=1 all
	@tests/images-build/build
	@STACK_BUILD=$(abspath $(BUILD)/crash) SEQUENCES=$(SEQUENCES) SEED=$(SEED) \
		tests/lib/netns bats tests/e2e/network-sequences.bats

# The example of the README, from the packages to `down`, in a namespace of its own.
demo: deps
	@$(MAKE) --no-print-directory all
	@tests/images-build/build
	@STACK_BUILD=$(abspath $(BUILD)) tests/lib/netns tests/demo

# A shell with a registry for the examples, in a namespace of its own. TRY="command": that alone.
.PHONY: try
try: deps
	@$(MAKE) --no-print-directory all
	@tests/images-build/build
	@STACK_BUILD=$(abspath $(BUILD)) tests/lib/netns tests/try $(TRY)

# The same command lines through docker compose (from Debian sid, fetched once) and through stack.
.PHONY: compare-cli
compare-cli: deps
	@$(MAKE) --no-print-directory all
	@tests/images-build/build
	@tests/compare/cli $(BUILD)

# Exports of test vectors, examples and CORPUS="DIR ..." judged by the schemas of Kubernetes and by docker; minutes.
.PHONY: compare-export
compare-export: all
	@tests/compare/export $(BUILD) $(CORPUS)

check: deps test
	@BUILD=$(BUILD) tests/check

# Takes the guards against known escapes out one by one; their tests must notice. As root, two minutes.
.PHONY: guards
guards: deps
	@tests/guards/run

# Containers by the hundred, killed at random stages. STORM=N of them; the build has crash points.
.PHONY: storm
storm: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/crash CRASH=1 all
	@tests/images-build/build
	@STORM=$(or $(STORM),500) STACK_BUILD=$(abspath $(BUILD)/crash) tests/lib/netns bats tests/e2e/runtime-storm.bats tests/e2e/monitor-storm.bats

# Fuzzers: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput, listed in FUZZERS; they link the folders that they
# include. FUZZ=name: one of them. New inputs go to the build folder, findings beside them.
FUZZBUILD = BUILD=$(BUILD)/fuzz CC=clang WARN=-w CFLAGS="-O1 -g $(NO_CPU_LEVELS)" SAN="-fsanitize=fuzzer-no-link,address,undefined"
# clang 14 does not know the names of the x86-64 levels that gcc's builtin takes.
NO_CPU_LEVELS = '-D__builtin_cpu_supports(x)=0'
fuzz: deps
	@$(MAKE) --no-print-directory $(FUZZBUILD) FUZZ=$(FUZZ) fuzz-binaries
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $(filter tests/fuzz/fuzz_$(FUZZ)%,$(FUZZERS))

.PHONY: fuzz-binaries
fuzz-binaries: $(patsubst %,$(BUILD)/%,$(filter tests/fuzz/fuzz_$(FUZZ)%,$(FUZZERS)))

fuzz_folders = $(sort $(shell sed -n 's,^.include "\([a-z/]*\)/[a-z_0-9]*\.h",\1,p' $(1).c | grep -v '^tests'))
# A parser above the middle floor is fuzzed without what stands below it: it needs base alone.
fuzz_all     = $(sort $(1) $(foreach f,$(filter-out orchestrator%,$(1)),$(USES_$(f))) base)
define fuzz_rules
$$(BUILD)/$(1): $$(call obj,$(1).c) $(foreach m,$(2),$$(call lib,$(m)))
	$$(call say,LINK)$$(CC) $$(CFLAGS) -fsanitize=fuzzer,address,undefined -o $$@ $$(call obj,$(1).c) \
		$$(call group,$(foreach m,$(2),$$(call lib,$(m)))) \
		$$(shell pkg-config --libs $(sort $(foreach m,$(2),$(PKGS_$(m))))) \
		$(sort $(foreach m,$(2),$(LDLIBS_$(m)))) -lpthread
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rules,$(f),$(call fuzz_all,$(call fuzz_folders,$(f))))))

include bench/module.mk
