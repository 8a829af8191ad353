# Runs in the image, without a network. Arguments as those of the other phase, with exact versions.
x=/run/racker
weak=$1 unsigned=$2
shift 2
mkdir -p "$x/state/repos.d"
touch "$x/state/started"

# What is taken out of the tree again is not made: scripts leave alone what they find.
while read -r path; do
    mkdir -p "${path%/*}"
    : >"$path"
done <"$x/install/spared"

# The image's own repositories say what is checked, and by which keys.
signed=0 bare=0
zypper --non-interactive --xmlout repos -E >"$x/state/repos.xml" || :
if [ "$unsigned" != yes ]; then
    ! grep -q '^<repo .*gpgcheck="1"' "$x/state/repos.xml" || signed=1
    ! grep -Eiqs '^[[:space:]]*pkg_gpgcheck[[:space:]]*=[[:space:]]*(1|yes|on|true)' \
        /etc/zypp/repos.d/*.repo || bare=1
fi
if [ "$signed" = 1 ]; then
    sed -n 's/^<repo .* gpgkey="\([^"]*\)".*/\1/p' "$x/state/repos.xml" | tr ' ,' '\n\n' |
        sed -n 's,^file:/*,/,p' | while IFS= read -r key; do
        rpm --import "$key" || :
    done
fi
for part in "signed $signed" "bare $bare" "local 0"; do
    name=${part% *}
    printf '[racker-%s]\nbaseurl=dir://%s\ntype=rpm-md\nenabled=1\nautorefresh=0\n' \
        "$name" "$x/repo/$name" >"$x/state/repos.d/$name.repo"
    printf 'gpgcheck=0\nrepo_gpgcheck=0\npkg_gpgcheck=%s\n' "${part#* }" >>"$x/state/repos.d/$name.repo"
done

z() {
    zypper --non-interactive --reposd-dir "$x/state/repos.d" --cache-dir "$x/state/cache" "$@"
}
z refresh
status=0
z --no-refresh install --auto-agree-with-licenses --oldpackage "$weak" -- "$@" || status=$?
# 102 and 103 say that something is to be started again.
case $status in
0 | 102 | 103) ;;
*) exit "$status" ;;
esac
. "$x/install/finish.sh"
