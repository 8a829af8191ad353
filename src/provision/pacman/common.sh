# Runs in the image. What is written to lies in $x, where host and guest meet.
x=/run/racker
work=$x/work
rm -rf "$work"
mkdir -p "$work/cache" "$work/state"

database=$(pacman-conf DBPath)
database=${database%/}

keys=$work/keyring
# The image's options, less what says where to write, and less a user that downloads and could not
# write there.
options() {
    printf '[options]\nDBPath = %s/\nCacheDir = %s/\nLogFile = %s\nGPGDir = %s/\nNoProgressBar\n' \
        "$1" "$work/cache" "$work/log" "$keys"
    pacman-conf | sed -E -e 1d -e '/^\[/,$d' -e \
        '/^(DBPath|CacheDir|LogFile|GPGDir|NoProgressBar|CheckSpace|CleanMethod|Color|DownloadUser|UseSyslog)( |$)/d'
}

# What signatures are checked with: the image's keyring, less its secrets; where it has none, one of
# the keys that its packages brought, as the first boot makes it. With an argument, as it was then.
keyring() {
    own=$(pacman-conf GPGDir)
    keys=$work/keyring${1:-}
    mkdir -m 700 "$keys"
    if [ -s "$own/pubring.gpg" ] || [ -s "$own/pubring.kbx" ]; then
        for file in pubring.gpg pubring.kbx trustdb.gpg gpg.conf; do
            [ ! -e "$own/$file" ] || cp "$own/$file" "$keys/"
        done
        then_is "$@"
        gpg --homedir "$keys" --batch --yes --check-trustdb
    else
        then_is "$@"
        : >"$keys/pubring.gpg"
        gpg --homedir "$keys" --batch --quiet --passphrase '' \
            --quick-generate-key 'racker <racker@localhost>' ed25519 cert never
        pacman-key --gpgdir "$keys" --init
        pacman-key --gpgdir "$keys" --populate || :
    fi
}
then_is() {
    [ "$#" -eq 0 ] || printf '\nfaked-system-time %s!\n' "$1" >>"$keys/gpg.conf"
}
