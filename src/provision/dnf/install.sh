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
    # As with dnf 4: the image's own repositories say what is checked, and by which keys.
    keys=$(sed -n 's/^[[:space:]]*gpgkey[[:space:]]*=[[:space:]]*//p' \
        /usr/share/dnf5/repos.d/*.repo /etc/yum.repos.d/*.repo 2>/dev/null |
        tr ' ,' '\n\n' | grep '^file:' | sort -u | tr '\n' ' ' || :)
    checks=" $(repositories | while read -r _ packages _; do echo "$packages"; done | tr '\n' ' ')"
    any=0 every=0
    case $unsigned$checks in
    yes*) ;;
    *' 1 '*)
        any=1
        case $checks in *' 0 '*) ;; *) every=1 ;; esac
        ;;
    esac
    for part in "signed $any" "bare $every" "local 0"; do
        name=${part% *}
        printf '[racker-%s]\nname=racker-%s\nbaseurl=file://%s\nenabled=1\nmodule_hotfixes=1\n' \
            "$name" "$name" "$x/repo/$name" >"$x/state/repos.d/$name.repo"
        printf 'repo_gpgcheck=0\ngpgcheck=%s\ngpgkey=%s\n' "${part#* }" "$keys" \
            >>"$x/state/repos.d/$name.repo"
    done
    verb=$1
    shift
    dnf5 --setopt=reposdir="$x/state/repos.d" --setopt=cachedir="$x/state/cache" \
        --setopt=system_cachedir="$x/state/cache" --setopt=logdir="$x/state/log" \
        --setopt=best=1 --setopt=install_weak_deps="$weak" "$verb" --allowerasing "$@" || {
        echo "transaction: dnf5: dnf5 $verb failed" >&2
        exit 1
    }
    ;;
esac
. "$x/install/finish.sh"
