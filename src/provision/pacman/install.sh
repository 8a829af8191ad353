# Without a network. Arguments: what is to be installed.
touch "$work/state/started"
# pacman wants its databases beside that of what is installed. Nothing of this stays, not even a time
# stamp.
sync=
if [ -e "$database/sync" ]; then
    sync=$work/sync
    touch -r "$database/sync" "$sync"
fi
mkdir -p "$database/sync"
# A signature that held when the lock was made holds: a key may have expired since, and is looked at as
# of then.
if [ -e "$x/install/signed" ]; then
    keyring
    for signature in "$x"/repo/*.sig; do
        if ! gpg --homedir "$keys" --batch --status-fd 1 --verify \
            "$signature" "${signature%.sig}" 2>"$work/err" |
            grep -Eq '^\[GNUPG:\] TRUST_(FULLY|ULTIMATE)'; then
            keyring "$SOURCE_DATE_EPOCH"
            break
        fi
    done
fi
{
    options "$database" | sed '/^XferCommand /d'
    printf 'CacheDir = %s/\n' "$x/repo"
    for name in racker-signed racker-plain; do
        ln -s "$x/repo/$name.db" "$database/sync/"
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
rm "$database/sync/racker-signed.db" "$database/sync/racker-plain.db"
if [ -n "$sync" ]; then
    touch -r "$sync" "$database/sync"
else
    rmdir "$database/sync"
fi
x=$work
. /run/racker/install/finish.sh
