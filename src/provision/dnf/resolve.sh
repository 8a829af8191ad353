# Runs in the image, with the network. Arguments: True or False for weak dependencies; "yes" where
# nothing need be signed; what dnf 5 is asked for.
x=/run/racker
weak=$1 unsigned=$2
shift 2
rm -rf "$x/result"
mkdir -p "$x/metadata/dnf" "$x/cache" "$x/result"

fail() {
    echo "transaction: $*" >>"$x/result/errors"
    cat "$x/result/errors" >&2
    exit 1
}
five() {
    [ "$unsigned" != yes ] || set -- --no-gpgchecks "$@"
    [ ! -e "$x/hold" ] || set -- --repofrompath="racker-hold,file://$x/hold" \
        --setopt=racker-hold.priority=1 --setopt=racker-hold.repo_gpgcheck=0 "$@"
    dnf5 --setopt=cachedir="$x/metadata/dnf" --setopt=system_cachedir="$x/metadata/dnf" \
        --setopt=logdir="$x/cache" --setopt=zchunk=0 --setopt=best=1 \
        --setopt=install_weak_deps="$weak" --setopt='*.metadata_expire=-1' \
        --setopt='*.skip_if_unavailable=0' "$@"
}

# A dnf that is a script is dnf 4.
program=$(readlink -f /usr/bin/dnf || :)
line=
[ ! -f "$program" ] || IFS= read -r line <"$program" 2>/dev/null || :
case $line in
'#!'*python*)
    # The words after the marks are the interpreter and its options.
    # shellcheck disable=SC2086
    set -- ${line#'#!'}
    "$1" "$x/resolve/transaction.py" resolve 2>"$x/result/errors" || {
        cat "$x/result/errors" >&2
        exit 1
    }
    ;;
*)
    [ -x /usr/bin/dnf5 ] || fail "unsupported: it is neither dnf 4 nor dnf 5"
    repositories >"$x/result/repositories"
    [ -s "$x/result/repositories" ] || fail "sources: "
    while read -r name packages metadata; do
        case $unsigned$packages$metadata in
        *1*) ;;
        yes*) ;;
        *) fail "untrusted: $name" ;;
        esac
    done <"$x/result/repositories"
    verb=$1
    shift
    five "$verb" --allowerasing --store="$x/result/stored" "$@" >"$x/result/said" \
        2>"$x/result/errors" || {
        cat "$x/result/said" >>"$x/result/errors"
        fail "dnf5: dnf5 $verb failed"
    }
    rm -rf "$x/result/stored/packages"
    # Nothing to do is nothing stored.
    if [ -e "$x/result/stored/transaction.json" ]; then
        tr ',{}' '\n\n\n' <"$x/result/stored/transaction.json" |
            sed -n 's/.*"nevra" *: *"\([^"]*\)".*/\1/p' | sort -u >"$x/result/nevras"
        # shellcheck disable=SC2046
        five --cacheonly repoquery --available \
            --queryformat '%{repoid} %{name} %{evr} %{arch} %{location}\n' \
            $(cat "$x/result/nevras") >"$x/result/places" 2>"$x/result/errors" ||
            fail "dnf5: dnf5 repoquery failed"
    fi
    rm -rf "$x"/metadata/dnf/racker-hold-*
    touch "$x/result/five"
    ;;
esac
find "$x/metadata/dnf" -name '*.solv*' -exec rm -f {} +
