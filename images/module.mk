# images/ - from a reference to lower folders. Blocking and loop-free; fetch drives curl by callbacks.
SRCS_images :=
USES_images := base
PKGS_images := zlib libzstd libisal json-c

# names, manifests, the registry
SRCS_images += images/ref.c images/platform.c images/media.c images/config.c images/user.c \
               images/curl_lib.c images/fetch.c images/fetch_request.c images/fetch_timer.c images/auth.c images/registry.c images/proto.c \
               images/exchange.c images/exchange_answer.c images/exchange_auth.c images/exchange_body.c \
               images/exchange_send.c images/credentials.c \
               images/credential_helper.c
TESTS += $(addprefix tests/images/test_,ref platform media config user auth registry proto credentials)

# the store: bytes to layers, layers to images
SRCS_images += images/digest.c images/inflate.c images/decode.c \
               images/layer_tree.c images/apply.c images/apply_path.c \
               images/unpack.c images/erofs.c images/erofs_dir.c images/erofs_out.c images/ring.c \
               images/store.c images/space.c images/staged.c images/lease.c images/record.c images/name.c images/resolve.c images/root.c images/probe.c \
               images/layer.c images/layer_feed.c images/layer_keep.c images/layer_make.c images/layer_write.c images/layer_dir.c \
               images/chain.c images/commit.c images/snapshot.c images/archive_source.c \
               images/archive_load.c images/archive_save.c images/archive_export.c \
               images/layer_blob.c images/gc.c images/steps.c images/steps_cache.c images/steps_prune.c images/maintain.c \
               images/maintain_df.c images/check.c images/check_layer.c
TESTS += $(addprefix tests/images/test_,decode store ring)
FUZZERS += $(addprefix tests/fuzz/fuzz_images_,ref manifest auth_header)
FUZZERS += $(addprefix tests/fuzz/fuzz_images_,tar decode)
KTESTS += $(addprefix tests/images/k_,layers large hostile store space archive)
