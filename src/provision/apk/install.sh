# Without a network. Arguments: what is to be installed.
mkdir -p "$work/state"
touch "$work/state/started"
# The repository has one directory for whatever architecture is asked for.
for name in "$arch" noarch; do
    ln -s "$x/repo" "$work/repo/$name"
done
printf '%s\n' "$work/repo" >"$work/repositories"
call() {
    applet=$1
    shift
    apk "$applet" --no-progress --no-cache --allow-untrusted \
        --repositories-file "$work/repositories" "$@"
}
if [ -s "$x/install/remove" ]; then
    # shellcheck disable=SC2046
    call del $(cat "$x/install/remove")
fi
if [ "$#" -gt 0 ]; then
    call add "$@"
fi
# Exactly what the lock says, or nothing.
for installed in /lib/apk/db/installed /usr/lib/apk/db/installed; do
    [ ! -e "$installed" ] || break
done
awk '/^P:/ { name = substr($0, 3) } /^V:/ { print name, substr($0, 3) }' "$installed" >"$work/has"
while read -r line; do
    if ! grep -qxF -- "$line" "$work/has"; then
        printf 'ERROR: apk did not install %s\n' "$line" >&2
        exit 1
    fi
done <"$x/install/locked"
x=$work
. /run/racker/install/finish.sh
