# orchestrator/ - many containers, one project. The only folder that knows libuv.
SRCS_orchestrator := orchestrator/control.c orchestrator/events.c orchestrator/flow.c \
                     orchestrator/plan.c orchestrator/plan_graph.c orchestrator/plan_reason.c \
                     orchestrator/records.c orchestrator/roots.c
USES_orchestrator := specs images images/dockerfile netplug volumes base
PKGS_orchestrator := libuv
SRCS_orchestrator += $(addprefix orchestrator/,transfer.c transfer_image.c transfer_layer.c \
	transfer_loop.c transfer_login.c transfer_progress.c transfer_store.c)
