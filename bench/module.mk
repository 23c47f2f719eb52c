# bench/ - programs of the benchmark; nothing of ours is linked, each is a yardstick of its own.
BENCH_PROGRAMS := floor floor_bridge floor_pull dns_load tcp_load
BENCH_floor    := bench/floor.c bench/floor_net.c bench/floor_root.c
BENCH_floor_bridge := bench/floor_bridge.c bench/floor_net.c
BENCH_floor_pull := bench/floor_pull.c
BENCH_dns_load := bench/dns_load.c
BENCH_tcp_load := bench/tcp_load.c
BENCH_PKGS_floor_pull := libisal libcrypto

# The ones without libraries are static: they run inside containers, too.
define bench_rules
$$(BUILD)/bench/$(1): $$(call obj,$$(BENCH_$(1)))
	$$(call say,LINK)$$(CC) $$(CFLAGS) -o $$@ $$^ \
		$(if $(BENCH_PKGS_$(1)),$$(shell pkg-config --libs $(BENCH_PKGS_$(1))),-static) -lpthread
ALL_SRCS += $$(BENCH_$(1))
endef
$(foreach p,$(BENCH_PROGRAMS),$(eval $(call bench_rules,$(p))))

.PHONY: bench bench-programs
bench-programs: $(BENCH_PROGRAMS:%=$(BUILD)/bench/%)

# ONLY=up50: one work or several ("up50 exec"); ROUNDS=7; FULL=1: the long ones too; STATE=tmpfs: see bench/run.
# WRITE=1: results.json, chart.svg and README's table also when not all works ran.
bench: all bench-programs
	@tests/images-build/build
	@[ -z "$(FULL)" ] || tests/compare/docker-root >/dev/null || echo "bench: docker compose cannot be fetched" >&2
	@STACK_BUILD=$(abspath $(BUILD)) ONLY="$(ONLY)" ROUNDS="$(ROUNDS)" FULL="$(FULL)" STATE="$(STATE)" WRITE="$(WRITE)" \
		tests/lib/netns bench/run
