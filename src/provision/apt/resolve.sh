# Runs in the image. Arguments: what apt-get install is asked for.
x=/run/racker
mkdir -p "$x/lists/partial" "$x/cache/archives/partial"
rm -rf "$x/result"
mkdir "$x/result"

apt() {
    apt-get -c "$x/resolve/apt.conf" "$@" 2>"$x/result/errors" || {
        status=$?
        cat "$x/result/errors" >&2
        exit "$status"
    }
}

# One snapshot of the metadata serves all steps that have the same sources.
sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | sha256sum)
if [ "$sources" != "$(cat "$x/lists.of" 2>/dev/null)" ]; then
    rm -f "$x/lists.of"
    # The cache is made by whoever needs it first.
    apt -o pkgCacheFile::Generate=false update -q
    printf '%s\n' "$sources" >"$x/lists.of"
fi

cd "$x/lists"
for file in *_InRelease *_Release; do
    [ -f "$file" ] || continue
    sha256sum "$file"
    grep -m1 '^Date:' "$file"
done >"$x/result/releases"
apt install --print-uris -qq -- "$@" >"$x/result/uris.partial"
mv "$x/result/uris.partial" "$x/result/uris"
