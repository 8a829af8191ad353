# Runs in the image, without a network. Arguments as those of the other phase, with exact versions.
x=/run/racker
weak=$1 unsigned=$2
shift 2
mkdir -p "$x/state/cache" "$x/state/log" "$x/state/repos.d"
touch "$x/state/started"

# What is taken out of the tree again is not made: scripts leave alone what they find.
while read -r path; do
    mkdir -p "${path%/*}"
    : >"$path"
done <"$x/install/spared"

line=
IFS= read -r line <"$(readlink -f /usr/bin/dnf || echo /dev/null)" 2>/dev/null || :
case $line in
'#!'*python*)
    # shellcheck disable=SC2086
    set -- ${line#'#!'}
    "$1" "$x/install/transaction.py" install
    ;;
*)
    # Every package must be signed by a key that the image names, whatever it checks itself.
    keys=$(sed -n 's/^[[:space:]]*gpgkey[[:space:]]*=[[:space:]]*//p' \
        /usr/share/dnf5/repos.d/*.repo /etc/yum.repos.d/*.repo 2>/dev/null |
        tr ' ,' '\n\n' | grep '^file:' | sort -u | tr '\n' ' ' || :)
    check=1
    [ "$unsigned" != yes ] || check=0
    for part in "signed $check" "bare $check" "local 0"; do
        name=${part% *}
        printf '[racker-%s]\nname=racker-%s\nbaseurl=file://%s\nenabled=1\nmodule_hotfixes=1\n' \
            "$name" "$name" "$x/repo/$name" >"$x/state/repos.d/$name.repo"
        printf 'repo_gpgcheck=0\ngpgcheck=%s\ngpgkey=%s\n' "${part#* }" "$keys" \
            >>"$x/state/repos.d/$name.repo"
    done
    verb=$1
    shift
    dnf5 --assumeyes --setopt=reposdir="$x/state/repos.d" --setopt=cachedir="$x/state/cache" \
        --setopt=system_cachedir="$x/state/cache" --setopt=logdir="$x/state/log" \
        --setopt=best=1 --setopt=install_weak_deps="$weak" "$verb" --allowerasing "$@"
    ;;
esac
. "$x/install/finish.sh"
