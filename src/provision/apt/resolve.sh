# Runs in the image. Arguments: what apt-get install is asked for.
x=/run/racker
mkdir -p "$x/metadata/lists/partial" "$x/cache/archives/partial"
rm -rf "$x/result"
mkdir "$x/result"

apt() {
    apt-get -c "$x/resolve/apt.conf" "$@" 2>"$x/result/errors" || {
        status=$?
        cat "$x/result/errors" >&2
        exit "$status"
    }
}
# The cache is made by whoever needs it first.
update() {
    apt -o pkgCacheFile::Generate=false update -q "$@"
}

known=$x/metadata/sources
touch "$known"
# A new architecture is asked for everywhere.
foreign=$(dpkg --print-foreign-architectures | tr '\n' ',')
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -s "$file" ] || continue
    printf '%s' "$foreign"
    sha256sum "$file"
    if grep -v '^[[:space:]]*#' "$file" |
        grep -Eqi '(trusted|allow-insecure)[[:space:]]*[:=][[:space:]]*yes'; then
        printf '%s\n' "$file" >>"$x/result/untrusted"
    fi
done >"$known.new"

# What is here already serves every step that has the same sources; only new ones are asked. Of
# sources that are gone nothing is kept.
if [ ! -s "$known" ] || grep -qvxFf "$known.new" "$known"; then
    rm -rf "$x/metadata/lists"
    mkdir -p "$x/metadata/lists/partial"
    update
else
    grep -vxFf "$known" "$known.new" | while read -r _ file; do
        update -o Dir::Etc::sourcelist="$file" -o Dir::Etc::sourceparts=/dev/null \
            -o APT::Get::List-Cleanup=false
    done
fi
mv "$known.new" "$known"

parts=/etc/apt/sources.list.d
if [ -e "$x/hold/sources.list" ]; then
    mkdir "$x/parts"
    cp /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources "$x/parts/" 2>/dev/null || :
    cp "$x/hold/sources.list" "$x/parts/racker-hold.list"
    update -o Dir::Etc::sourcelist="$x/hold/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o APT::Get::List-Cleanup=false
    parts=$x/parts
fi
# apt would not name the reason.
for file in "$x"/local/*.deb; do
    [ -e "$file" ] || continue
    is=$(dpkg-deb --field "$file" Architecture)
    case " all $(dpkg --print-architecture) $(dpkg --print-foreign-architectures | tr '\n' ' ') " in
        *" $is "*) ;;
        *)
            echo "E: ${file##*/} is for $is, and this image for $(dpkg --print-architecture)" |
                tee "$x/result/errors" >&2
            exit 100
            ;;
    esac
done
# apt takes the sign for an order, unless there is a package of that name.
for name in "$@"; do
    case $name in
        *+)
            if ! apt-cache -c "$x/resolve/apt.conf" pkgnames "$name" | grep -qxF "$name"; then
                echo "E: Unable to locate package $name" | tee "$x/result/errors" >&2
                exit 100
            fi
            ;;
    esac
done
# What does not fit together is said on standard output.
if ! (apt -o Dir::Etc::sourceparts="$parts" install --print-uris -q -- "$@" >"$x/result/uris.partial"); then
    grep -v "^'" "$x/result/uris.partial" >>"$x/result/errors"
    exit 100
fi
rm -f "$x"/metadata/lists/_run_racker_hold_*
mv "$x/result/uris.partial" "$x/result/uris"
