# One make for the whole house: every folder says its files in module.mk, nobody recurses.
#   make                 build/stack, build/stack-runtime, build/stack-init, build/stack-netd
#   make test            everything a clean clone must show: units under sanitizers, floors, end to end
#   make units           the units alone (UNITS=specs: one folder's)
#   make e2e             the real programs in a network namespace of their own (E2E=name: one file)
#   make check           test, analyzers, format, crash points
#   make guards          the runtime without each of its guards: the tests must notice
#   make storm           500 containers, killed at random stages: nothing may stay
#   make sequences       a hundred random sequences of commands and deaths (SEQUENCES=, SEED=)
#   make demo bench fuzz install uninstall clean format
CC       ?= cc
BUILD    ?= build
CFLAGS   ?= -O2 -g
SAN      ?=
PREFIX   ?= /usr/local
UNITDIR  ?= $(PREFIX)/lib/systemd/system
DESTDIR  ?=
VERSION  := 0.1.0
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wcast-qual -Wformat=2 -Wundef -Werror
STD      := -std=gnu11 -D_GNU_SOURCE -DSTACK_VERSION='"$(VERSION)"' -I. -fPIE
HARDEN   := $(if $(SAN),,-D_FORTIFY_SOURCE=3 -fstack-protector-strong)
RELRO    := -Wl,-z,relro,-z,now
CRASH    ?= $(if $(SAN),1,)
DEFS     := $(if $(CRASH),-DCRASH_POINTS)
# One short line a step; V=1 shows the commands.
V        ?=
say       = $(if $(V),,@echo "  $(1)	$@";)

PROGRAMS :=
TESTS    :=
KTESTS   :=
FUZZERS  :=
MODULES  := base specs specs/export images images/dockerfile netplug volumes runtime orchestrator orchestrator/cli
include $(MODULES:%=%/module.mk)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
lib = $(BUILD)/lib/$(subst /,-,$(1)).a

.PHONY: all
.DEFAULT_GOAL := all
.SECONDARY:
all: $(PROGRAMS:%=$(BUILD)/%)

# Each folder becomes an archive; a program is its main file and the archives that it uses.
define folder_rules
$$(call lib,$(1)): $$(call obj,$$(SRCS_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
ALL_SRCS += $$(SRCS_$(1))
endef
$(foreach m,$(MODULES),$(eval $(call folder_rules,$(m))))

libs_of  = $(foreach m,$(1) $(USES_$(1)),$(call lib,$(m)))
pkgs_of  = $(sort $(foreach m,$(1) $(USES_$(1)),$(PKGS_$(m))))
plain_of = $(sort $(foreach m,$(1) $(USES_$(1)),$(LDLIBS_$(m))))
group    = -Wl,--start-group $(1) -Wl,--end-group

# PROGRAM and link flags: the libraries that NEAR_PROGRAM names go into the program where there is an archive of them
# (docs/decisions/0431). One whose archive has another name: ARCHIVE-lNAME.
ARCHIVE-luv := uv_a
archive = $(filter /%,$(shell $(CC) -print-file-name=lib$(or $(ARCHIVE$(1)),$(1:-l%=%)).a))
near    = $(foreach flag,$(2),$(or $(if $(SAN),,$(if $(filter $(flag:-l%=%),$(NEAR_$(1))),$(call archive,$(flag)))),$(flag)))

# PROGRAM, its main source, the folder whose archives it links, extra link flags
define program_rules
$$(BUILD)/$(1): $$(call obj,$(2)) $$(call libs_of,$(3))
	$$(call say,LINK)$$(CC) $$(CFLAGS) $$(SAN) -pie $(4) $$(RELRO) -o $$@ $$(call obj,$(2)) \
		$$(call group,$$(call libs_of,$(3))) \
		$$(call near,$(1),$$(shell pkg-config $(5) --libs $$(call pkgs_of,$(3)))) $$(call plain_of,$(3)) -lpthread
ALL_SRCS += $(2)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p),$(MAIN_$(p)),$(FOLDER_$(p)),\
	$(if $(SAN),,$(LINK_$(p))),$(if $(SAN),,$(if $(findstring static,$(LINK_$(p))),--static)))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(STD) $(DEFS) $(CFLAGS) $(HARDEN) $(WARN) $(SAN) -MMD -MP -c -o $@ $<

# tests/specs/test_units links the archives that specs/ may use, and nothing above it.
test_folder = $(patsubst tests/%/,%,$(dir $(1)))
define test_rules
$$(BUILD)/$(1): $$(call obj,$(1).c) $$(call libs_of,$(call test_folder,$(1)))
	$$(call say,LINK)$$(CC) $$(CFLAGS) $$(SAN) -o $$@ $$(call obj,$(1).c) \
		$$(call group,$$(call libs_of,$(call test_folder,$(1)))) \
		$$(shell pkg-config --libs $$(call pkgs_of,$(call test_folder,$(1)))) \
		$$(call plain_of,$(call test_folder,$(1))) -lcmocka -lpthread
endef
$(foreach t,$(TESTS) $(KTESTS),$(eval $(call test_rules,$(t))))

include tests/module.mk

.PHONY: clean format install uninstall
clean:
	rm -rf $(BUILD)

format:
	git ls-files '*.[ch]' | xargs clang-format -i

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/stack
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec/stack $(addprefix $(BUILD)/stack-,runtime init netd)
	install -d -m 755 $(DESTDIR)$(UNITDIR)
	sed 's,@BINDIR@,$(PREFIX)/bin,' systemd/stack@.service.in >$(DESTDIR)$(UNITDIR)/stack@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/stack@.service
	install -d -m 755 $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 man/man5 bash-completion/completions zsh/site-functions \
		fish/vendor_completions.d)
	$(BUILD)/stack manual >$(DESTDIR)$(PREFIX)/share/man/man1/stack.1
	$(BUILD)/stack manual file >$(DESTDIR)$(PREFIX)/share/man/man5/stack-file.5
	$(BUILD)/stack completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/stack
	$(BUILD)/stack completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_stack
	$(BUILD)/stack completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/stack.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/stack
	rm -rf $(DESTDIR)$(PREFIX)/libexec/stack
	rm -f $(DESTDIR)$(UNITDIR)/stack@.service
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1/stack.1 man/man5/stack-file.5 bash-completion/completions/stack \
		zsh/site-functions/_stack fish/vendor_completions.d/stack.fish)

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRCS)) $(patsubst %,$(BUILD)/%.d,$(TESTS) $(KTESTS))
