# Runs in the image, without a network. Arguments: what apt-get install is asked for.
x=/run/racker/install
mkdir -p "$x/state/lists/partial" "$x/state/cache/archives/partial"
touch "$x/state/started"

if [ -s "$x/debconf" ]; then
    debconf-set-selections <"$x/debconf"
fi

# What is taken out of the tree again is not made: scripts leave alone what they find.
while read -r path; do
    mkdir -p "${path%/*}"
    : >"$path"
done <"$x/spared"

# No service is started from a maintainer script, but in a system that runs. Nothing of this stays, not
# even a time stamp.
if [ "${SYSTEMD_OFFLINE:-}" = 1 ] && [ ! -e /usr/sbin/policy-rc.d ] && [ -d /usr/sbin ]; then
    touch -r /usr/sbin "$x/state/sbin"
    trap 'rm -f /usr/sbin/policy-rc.d; touch -r "$x/state/sbin" /usr/sbin' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi

apt-get -c "$x/apt.conf" -qq update
apt-get -c "$x/apt.conf" -q -y install -- "$@"
. "$x/finish.sh"
