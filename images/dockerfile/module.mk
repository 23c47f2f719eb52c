# images/dockerfile/ - the Dockerfile language and the build cache.
SRCS_images/dockerfile := 
USES_images/dockerfile := images base
