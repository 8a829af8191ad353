# Without a network. Arguments: what is to be installed.
touch "$work/state/started"
[ ! -e "$x/install/signed" ] || keyring
{
    options "$work/db" | sed '/^XferCommand /d'
    printf 'CacheDir = %s/\n' "$x/repo"
    for name in racker-signed racker-plain; do
        ln -s "$x/repo/$name.db" "$work/db/sync/"
        level=Never
        [ "$name" = racker-plain ] || level='PackageRequired PackageTrustedOnly DatabaseNever'
        printf '[%s]\nSigLevel = %s\nServer = file://%s/repo\n' "$name" "$level" "$x"
    done
} >"$work/pacman.conf"

run() {
    pacman --config "$work/pacman.conf" --noconfirm --color never "$@"
}
if [ -s "$x/install/remove" ]; then
    # shellcheck disable=SC2046
    run -R -- $(cat "$x/install/remove")
fi
# What the lock has no package for was here already when it was made.
while read -r name; do
    if ! run -T "$name" >"$work/out" && ! run -Qg "$name" >"$work/out" 2>&1; then
        printf 'error: target not found: %s\n' "$name" >&2
        exit 1
    fi
done <"$x/install/present"
if [ "$#" -gt 0 ]; then
    run -S --needed -- "$@"
fi
# Exactly what the lock says, or nothing.
while read -r name version; do
    if [ "$(run -Q -- "$name")" != "$name $version" ]; then
        printf 'error: pacman did not install %s %s\n' "$name" "$version" >&2
        exit 1
    fi
done <"$x/install/locked"
if [ ! -e "$installed" ]; then
    mkdir -p "${installed%/*}"
    cp -R "$work/db/local" "$installed"
fi
x=$work
. /run/racker/install/finish.sh
