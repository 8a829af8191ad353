# Arguments: what is to be installed.
rm -rf "$x/result"
mkdir "$x/result"
mkdir -p "$x/metadata/sync" "$x/metadata/repositories" "$work/fetching/local" "$work/db/sync"
[ ! -e "$database/local" ] || ln -s "$database/local" "$work/db/local"
exec 3>&2 2>"$x/result/errors"
trap 'cat "$x/result/errors" >&3' EXIT

# Either stream has what a failure means.
pacman_with() {
    configuration=$1
    shift
    pacman --config "$work/$configuration" --noconfirm --color never "$@" \
        >"$work/out" || {
        status=$?
        cat "$work/out" >&2
        exit "$status"
    }
}

pacman-conf >"$x/result/configuration"
pacman-conf --repo-list >"$work/repositories"

# What is here already serves every step that has the same repositories; only new ones are asked.
# Of repositories that are gone nothing is kept.
: >"$work/missing"
while read -r name; do
    now=$(pacman-conf --repo="$name")
    kept=$x/metadata/repositories/$name
    if [ ! -e "$x/metadata/sync/$name.db" ] || [ "$now" != "$(cat "$kept")" ]; then
        rm -f "$x/metadata/sync/$name.db" "$x/metadata/sync/$name.db.sig"
        printf '%s\n' "$now" >"$kept"
        printf '[%s]\n%s\n' "$name" "$now" >>"$work/missing"
    fi
done <"$work/repositories"
for kept in "$x"/metadata/repositories/*; do
    name=${kept##*/}
    if ! grep -qxF -- "$name" "$work/repositories"; then
        rm -f "$kept" "$x/metadata/sync/$name.db" "$x/metadata/sync/$name.db.sig"
    fi
done
if grep -Eq '^SigLevel = Database(Required|Optional)$' "$x/result/configuration"; then
    keyring
fi
if [ -s "$work/missing" ]; then
    ln -s "$x/metadata/sync" "$work/fetching/sync"
    { options "$work/fetching" && cat "$work/missing"; } >"$work/fetch.conf"
    pacman_with fetch.conf -Syy
fi

# racker's own repositories come first: what they have is taken from there.
{
    options "$work/db"
    while read -r name directory; do
        ln -s "$directory.db" "$work/db/sync/$name.db"
        printf '[%s]\nSigLevel = Never\nServer = file://%s\n' "$name" "$directory"
    done <"$x/resolve/own"
    while read -r name; do
        ln -s "$x/metadata/sync/$name.db" "$work/db/sync/"
        if [ -e "$x/metadata/sync/$name.db.sig" ]; then
            ln -s "$x/metadata/sync/$name.db.sig" "$work/db/sync/"
        fi
        printf '[%s]\n' "$name"
        cat "$x/metadata/repositories/$name"
    done <"$work/repositories"
} >"$work/solve.conf"

if [ -s "$x/resolve/remove" ]; then
    # This image is thrown away: what goes is struck from its database alone.
    # shellcheck disable=SC2046
    pacman_with solve.conf -R --dbonly -- $(cat "$x/resolve/remove")
fi

# pacman knows no patterns of versions, nor has a repository more than one version of a package.
for selector; do
    shift
    case $selector in
    *=*) ;;
    *)
        set -- "$@" "$selector"
        continue
        ;;
    esac
    name=${selector%%=*}
    version=${selector#*=}
    pacman_with solve.conf -Sl
    found=
    while read -r repository candidate has _; do
        [ "$candidate" = "$name" ] || continue
        case $has in
        $version | $version-*)
            found=$repository/$name
            break
            ;;
        esac
    done <"$work/out"
    if [ -z "$found" ]; then
        word=name
        ! grep -qF " $name " "$work/out" || word=version
        printf '%s %s %s\n' "$word" "$name" "$version" >"$x/result/unknown"
        exit 1
    fi
    set -- "$@" "$found"
done
: >"$work/out"
if [ "$#" -gt 0 ]; then
    pacman_with solve.conf -S --needed --print-format 'racker %r %n %v' -- "$@"
fi
mv "$work/out" "$x/result/list"
