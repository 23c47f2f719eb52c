# volumes/ - all writable storage of a container.
SRCS_volumes := 
USES_volumes := base
