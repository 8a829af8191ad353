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

# What is here already serves all steps that have the same sources; only new ones are asked.
known=$x/metadata/sources
if [ ! -e "$known" ]; then
    update
    all=new
fi
: >"$known.new"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -s "$file" ] || continue
    line=$(sha256sum "$file")
    if [ -z "${all-}" ] && ! grep -qxF "$line" "$known"; then
        update -o Dir::Etc::sourcelist="$file" -o Dir::Etc::sourceparts=/dev/null \
            -o APT::Get::List-Cleanup=false
    fi
    printf '%s\n' "$line" >>"$known.new"
    if grep -v '^[[:space:]]*#' "$file" |
        grep -Eqi '(trusted|allow-insecure)[[:space:]]*[:=][[:space:]]*yes'; then
        printf '%s\n' "$file" >>"$x/result/untrusted"
    fi
done
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
apt -o Dir::Etc::sourceparts="$parts" install --print-uris -qq -- "$@" >"$x/result/uris.partial"
rm -f "$x"/metadata/lists/_run_racker_hold_*
mv "$x/result/uris.partial" "$x/result/uris"
