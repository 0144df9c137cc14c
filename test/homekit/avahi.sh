#!/bin/sh
# avahi.sh: Avahi in namespaces of its own (network, mounts), so that it meets neither the machine's Avahi nor its D-Bus.
#
#   ip netns exec NAME unshare -m avahi.sh CONF
#
# Prints "ready", then answers each line of its input with what avahi-browse sees, between "begin" and "end" and
# that line.
set -eu
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
dbus-daemon --system --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
avahi-daemon -f "$1" --no-drop-root --no-chroot --no-rlimits &
until avahi-daemon -c; do sleep 0.05; done
# Somebody who goes on asking keeps the cache fresh, from which each look is answered: without that a look takes a second.
avahi-browse -p _hap._tcp >/dev/null &
echo ready
while read -r look; do
	echo "begin $look"
	avahi-browse -rpc _hap._tcp || echo "avahi-browse: exit $?"
	echo "end $look"
done
