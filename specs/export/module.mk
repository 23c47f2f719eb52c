# specs/export/ - the model as documents for other orchestrators. Pure.
SRCS_specs/export := $(addprefix specs/export/,kube_claim.c kube_controller.c kube_files.c kube_keys.c kube_mount.c kube_network.c \
	kube_place.c kube_pod.c kube_policy.c kube_probe.c kube_schedule.c kube_security.c kubernetes.c names.c print.c report.c \
	swarm.c swarm_keys.c swarm_service.c)
USES_specs/export := specs base
TESTS += $(addprefix tests/specs/export/,test_kube_places test_kubernetes test_names test_report test_swarm)
