# netplug/ - links, addresses, ports, names; program stack-netd.
# links, addresses, ports, packet filter
SRCS_netplug := netplug/address.c netplug/naming.c netplug/rtnl.c netplug/uplink.c netplug/ipam.c \
                netplug/link.c netplug/link_end.c netplug/attach.c netplug/attach_inside.c netplug/nft.c \
                netplug/nft_write.c netplug/nft_dump.c netplug/nat_table.c netplug/nat.c netplug/nat_found.c \
                netplug/ports.c netplug/port_socket.c netplug/port_holder.c netplug/switches.c netplug/network.c netplug/network_make.c \
                netplug/network_file.c netplug/network_options.c netplug/lease.c \
                netplug/conntrack.c netplug/flows.c netplug/foreign.c netplug/attach_verify.c \
                netplug/link_group.c netplug/link_watch.c netplug/leftovers.c
TESTS        += tests/netplug/test_address tests/netplug/test_ipam
KTESTS       += tests/netplug/k_link_end tests/netplug/k_nat tests/netplug/k_network tests/netplug/k_attach \
                tests/netplug/k_repair tests/netplug/k_leftovers tests/netplug/k_crash
USES_netplug := base
PKGS_netplug := libmnl libseccomp
# names: zone, resolver, relay
SRCS_netplug    += netplug/zone.c netplug/zone_build.c netplug/zone_index.c netplug/dns.c netplug/dns_forward.c netplug/dns_upstream.c \
                   netplug/netd.c netplug/netd_core.c netplug/netd_jail.c netplug/netd_slot.c \
                   netplug/netd_talk.c netplug/netd_tcp.c netplug/netd_udp.c netplug/netd_words.c netplug/relay.c \
                   netplug/relay_flow.c netplug/hosts_files.c
PROGRAMS        += stack-netd
MAIN_stack-netd := netplug/netd_main.c
FOLDER_stack-netd := netplug
LINK_stack-netd := -Wl,--as-needed
TESTS           += tests/netplug/test_hosts_files tests/netplug/test_zone tests/netplug/test_dns
KTESTS          += tests/netplug/k_netd tests/netplug/k_relay
$(BUILD)/tests/netplug/k_netd $(BUILD)/tests/netplug/k_relay: $(BUILD)/stack-netd
FUZZERS         += tests/fuzz/fuzz_netplug_dns
TESTS        += tests/netplug/test_damaged_books
