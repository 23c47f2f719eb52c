# images/ - from a reference to lower folders. Blocking and loop-free; fetch drives curl by callbacks.
SRCS_images :=
USES_images := base
PKGS_images := libcurl libcrypto zlib libzstd libisal json-c

# names, manifests, the registry
SRCS_images += images/ref.c images/platform.c images/media.c images/config.c images/user.c \
               images/fetch.c images/auth.c images/registry.c images/proto.c \
               images/exchange.c images/exchange_answer.c images/exchange_auth.c images/credentials.c \
               images/credential_helper.c
TESTS += $(addprefix tests/images/test_,ref platform media config)
