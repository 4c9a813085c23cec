#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a program on a display, a bus and in folders of its own, and ends what it started:
#
#   tests/ui/xvfb-run.sh PROGRAM [ARGUMENT…]
set -u

command -v Xvfb >/dev/null && command -v dbus-daemon >/dev/null || { echo "1..0 # SKIP Xvfb or dbus-daemon is not installed"; exit 0; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/kontor-ui-XXXXXX")
mkdir -m 700 "$dir/home" "$dir/run" "$dir/data" "$dir/config" "$dir/cache"
xvfb=
bus=
end ()
{
    [ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null
    [ -z "$bus" ] || kill "$bus" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 130' INT TERM

mkfifo "$dir/display"
Xvfb -displayfd 3 -screen 0 1440x900x24 -nolisten tcp 3>"$dir/display" >/dev/null 2>&1 &
xvfb=$!
read -r number <"$dir/display" || { echo "Bail out! Xvfb did not start"; exit 99; }

export HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run" XDG_DATA_HOME="$dir/data"
export XDG_CONFIG_HOME="$dir/config" XDG_CACHE_HOME="$dir/cache"
export DISPLAY=":$number" GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=test
export DBUS_SESSION_BUS_ADDRESS="unix:path=$dir/run/bus"
unset WAYLAND_DISPLAY DBUS_SYSTEM_BUS_ADDRESS

mkfifo "$dir/bus-ready"
dbus-daemon --session --nofork --address="$DBUS_SESSION_BUS_ADDRESS" --print-address=3 3>"$dir/bus-ready" >/dev/null 2>&1 &
bus=$!
read -r _ <"$dir/bus-ready"

"$@"
