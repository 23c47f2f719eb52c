# base/ - the ground floor: includes nothing of the house but itself.
SRCS_base := base/alloc.c base/arena.c base/err.c base/file.c base/json.c base/log.c \
             base/message.c base/mount.c base/num.c base/process.c base/sha.c base/base64.c base/stages.c base/stamp.c \
             base/tar.c base/tar_header.c base/tar_out.c base/tar_pax.c base/text.c base/tree.c
PKGS_base := json-c
TESTS     += $(addprefix tests/base/,test_num test_file test_text test_arena test_json test_tree test_process \
             test_message test_stages test_stamp test_log test_tar test_sha test_base64)
KTESTS    += tests/base/k_mount

# fuzzers
FUZZERS += tests/fuzz/fuzz_json
