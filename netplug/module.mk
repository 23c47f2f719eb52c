# netplug/ - links, addresses, ports, names; program stack-netd.
SRCS_netplug := 
USES_netplug := base
PKGS_netplug := libnl-route-3.0 libnftnl libmnl libseccomp
