# Arguments: `trusted` or `untrusted`, and what is to be installed.
rm -rf "$x/result"
mkdir "$x/result"
exec 3>&2 2>"$x/result/errors"
trap 'cat "$x/result/errors" >&3' EXIT
trust=
[ "$1" = trusted ] || trust=--allow-untrusted
shift

if [ -z "$trust" ] && cat /etc/apk/config /lib/apk/config 2>/dev/null | grep -Eq '^(--)?allow-untrusted'; then
    echo "allow-untrusted in apk's configuration" >"$x/result/untrusted"
    exit 1
fi
for file in /etc/apk/repositories.d/*.list /lib/apk/repositories.d/*.list; do
    if [ -s "$file" ]; then
        echo "repositories in $file" >"$x/result/unfit"
        exit 1
    fi
done
# One index each, `URL` or `@TAG URL`.
sed -E -e 's/#.*//' -e 's/[[:space:]]+$//' -e '/^$/d' /etc/apk/repositories >"$work/repositories" || :
if grep -Ev '^(@[^[:space:]]+[[:space:]]+)?https?://[^[:space:]$]+$' "$work/repositories" |
    head -n 1 >"$x/result/unfit" && [ -s "$x/result/unfit" ]; then
    exit 1
fi
rm -f "$x/result/unfit"

# What is here already serves every step that has the same repositories.
if [ "$(cat "$work/repositories" "$x/metadata/arch" 2>/dev/null)" != \
    "$(cat "$x/metadata/repositories" 2>/dev/null; echo "$arch")" ]; then
    rm -rf "$x/metadata"
    mkdir -p "$x/metadata/index"
    number=1
    while read -r line; do
        index=$x/metadata/index/$number
        mkdir "$index"
        printf '%s\n' "$line" >"$work/one"
        url=${line##*[[:space:]]}
        printf '%s/%s\n' "${url%/}" "$arch" >"$index/url"
        # shellcheck disable=SC2086
        apk update --no-progress $trust --repositories-file "$work/one" --cache-dir "$index" >"$work/out" 2>&1 || {
            cat "$work/out" >&2
            exit 1
        }
        # Some versions warn, and go on without.
        if ! ls "$index"/APKINDEX.*.tar.gz >"$work/list" 2>&1; then
            cat "$work/out" >&2
            exit 1
        fi
        rm -f "$index/installed"
        number=$((number + 1))
    done <"$work/repositories"
    cp "$work/repositories" "$x/metadata/repositories"
    printf '%s\n' "$arch" >"$x/metadata/arch"
fi
for index in "$x"/metadata/index/*/APKINDEX.*.tar.gz; do
    [ ! -e "$index" ] || cp "$index" "$work/cache/"
done

call() {
    applet=$1
    shift
    # shellcheck disable=SC2086
    apk "$applet" --no-progress $trust --repositories-file "$work/repositories" \
        --cache-dir "$work/cache" --cache-max-age 99999999 "$@" >"$work/out" || {
        status=$?
        cat "$work/out" >&2
        exit "$status"
    }
}
if [ -s "$x/resolve/remove" ]; then
    # This image is thrown away.
    # shellcheck disable=SC2046
    call del --no-scripts $(cat "$x/resolve/remove")
fi
# The step says which versions are acceptable, world says that for ever: so the version is looked up.
for selector; do
    shift
    name=${selector%%=*}
    if [ "$name" = "$selector" ]; then
        set -- "$@" "$selector"
        continue
    fi
    version=${selector#*=}
    call search --exact --all "$name"
    found=
    while read -r candidate _; do
        has=${candidate#"$name"-}
        case $has in
        $version) found=$has ;;
        esac
    done <"$work/out"
    if [ -z "$found" ]; then
        word=name
        ! [ -s "$work/out" ] || word=version
        printf '%s %s %s\n' "$word" "$name" "$version" >"$x/result/unknown"
        exit 1
    fi
    set -- "$@" "$name=$found"
done
: >"$work/out"
if [ "$#" -gt 0 ]; then
    call add --simulate "$@"
fi
mv "$work/out" "$x/result/list"
