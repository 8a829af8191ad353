# Runs in the image, with the network. Arguments: --recommends or --no-recommends; "yes" where
# nothing need be signed; what zypper install is asked for. A version may be a pattern.
x=/run/racker
weak=$1 unsigned=$2
shift 2
rm -rf "$x/result" "$x/repos.d"
mkdir -p "$x/metadata/zypper" "$x/cache" "$x/result" "$x/repos.d"

z() {
    [ "$unsigned" != yes ] || set -- --no-gpg-checks "$@"
    zypper --non-interactive --xmlout --reposd-dir "$x/repos.d" \
        --raw-cache-dir "$x/metadata/zypper" --solv-cache-dir "$x/cache/solv" \
        --pkg-cache-dir "$x/cache/packages" "$@"
}
# What is said goes to a file and, when that is the end, to the log.
must() {
    file=$1
    shift
    z "$@" >"$x/result/$file" || {
        status=$?
        cat "$x/result/$file" >>"$x/result/errors"
        cat "$x/result/errors" >&2
        exit "$status"
    }
}

cp /etc/zypp/repos.d/*.repo "$x/repos.d/" 2>/dev/null || :
z repos -E -u >"$x/result/repos.xml" || :

# The keys that the image names for its repositories are trusted; others are not.
sed -n 's/^<repo .* gpgkey="\([^"]*\)".*/\1/p' "$x/result/repos.xml" | tr ' ,' '\n\n' |
    while IFS= read -r key; do
        case $key in
        file:*) key=$(printf %s "${key#file:}" | sed 's,^//*,/,') ;;
        esac
        [ -z "$key" ] || rpm --import "$key" || :
    done

# What is here already serves every step; of repositories that are gone, or lie elsewhere now,
# nothing is kept.
alias=
sed -n -e 's/^<repo alias="\([^"]*\)".*/a \1/p' -e 's/^<url>\(.*\)<\/url>.*/u \1/p' \
    "$x/result/repos.xml" | while IFS= read -r line; do
    case $line in
    'a '*) alias=${line#a } ;;
    *) printf '%s %s\n' "$alias" "${line#u }" ;;
    esac
done | sort >"$x/cache/sources"
# zypper clears its own directory of what it does not know.
state=$x/metadata/zypper-state
mkdir -p "$state/checked"
known=$state/sources
touch "$known"
for directory in "$x"/metadata/zypper/*/; do
    name=${directory%/}
    name=${name##*/}
    if ! now=$(grep -F "$name " "$x/cache/sources") || [ "$now" != "$(grep -F "$name " "$known")" ]; then
        rm -rf "$directory"
    elif [ -s "$state/checked/$name" ]; then
        # What libzypp found of the signature; a link, and links are not kept.
        ln -sfn "$(cat "$state/checked/$name")" "$directory.repo_gpgcheck"
    fi
done
cp "$x/cache/sources" "$known"
cut -d ' ' -f 1 "$known" | uniq | while IFS= read -r alias; do
    [ -e "$x/metadata/zypper/$alias/repodata/repomd.xml" ] || must refresh.xml refresh -- "$alias"
done

for file in "$x/resolve/repos.d/"*.repo; do
    if [ -e "$file" ]; then
        cp "$file" "$x/repos.d/"
        file=${file##*/}
        must refresh.xml refresh -- "racker-${file%.repo}"
    fi
done
set -- "$@" end
while [ "$1" != end ]; do
    selector=$1
    shift
    case $selector in
    *=*[*?[]*)
        name=${selector%%=*} pattern=${selector#*=} best=
        z --no-refresh search -s -t package --match-exact -- "${name%.*}" "$name" \
            >"$x/result/search.xml" || :
        for edition in $(sed -n 's/.* edition="\([^"]*\)".*/\1/p' "$x/result/search.xml"); do
            bare=${edition#*:}
            # shellcheck disable=SC2254
            for form in "$edition" "$bare" "${bare%-*}"; do
                case $form in
                $pattern)
                    # It says 1, 0 or -1 on a line of its own.
                    newer=$(zypper --terse versioncmp "$edition" "${best:-0}" || :)
                    if [ -z "$best" ] || [ "$newer" = 1 ]; then
                        best=$edition
                    fi
                    ;;
                esac
            done
        done
        [ -z "$best" ] || selector=$name=$best
        ;;
    esac
    set -- "$@" "$selector"
done
shift
must summary.xml --no-refresh install --dry-run --auto-agree-with-licenses --oldpackage "$weak" -- "$@"
rm -rf "$x"/metadata/zypper/racker-*
for directory in "$x"/metadata/zypper/*/; do
    name=${directory%/}
    readlink "$directory.repo_gpgcheck" >"$state/checked/${name##*/}" || :
done
mv "$x/result/summary.xml" "$x/result/solution.xml"
