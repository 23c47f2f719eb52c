# volumes/ - all writable storage of a container.
SRCS_volumes := volumes/attributes.c volumes/bind.c volumes/copy.c volumes/idmap.c volumes/secret.c \
                volumes/secret_store.c volumes/copy_tree.c volumes/folder.c volumes/hard_links.c volumes/rootfs.c \
                volumes/seed.c volumes/stage.c volumes/store.c volumes/tmpfs.c volumes/transport.c \
                volumes/tree_in.c volumes/tree_out.c volumes/volume.c \
                volumes/volume_device.c volumes/volume_list.c
USES_volumes := base
PKGS_volumes :=
TESTS        += tests/volumes/test_volume tests/volumes/test_bind
KTESTS       += tests/volumes/k_seed tests/volumes/k_volume tests/volumes/k_transport tests/volumes/k_import_over
FUZZERS      += tests/fuzz/fuzz_volumes_tree_in
TESTS        += tests/volumes/test_damaged_volume
