# runtime/ - one container; program stack-runtime, statically linked: it starts fast and loads nothing.
SRCS_runtime := 
USES_runtime := base
PKGS_runtime := libseccomp libcap
