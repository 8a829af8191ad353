# Runs in the image. What is written to lies in $x, where host and guest meet.
x=/run/racker
work=$x/work
rm -rf "$work"
mkdir -p "$work/cache" "$work/state"

database=$(pacman-conf DBPath)
database=${database%/}

# The image's options, less what says where to write, and less a user that downloads and could not
# write there.
options() {
    printf '[options]\nDBPath = %s/\nCacheDir = %s/\nLogFile = %s\nGPGDir = %s/\nNoProgressBar\n' \
        "$1" "$work/cache" "$work/log" "$work/keyring"
    pacman-conf | sed -E -e 1d -e '/^\[/,$d' -e \
        '/^(DBPath|CacheDir|LogFile|GPGDir|NoProgressBar|CheckSpace|CleanMethod|Color|DownloadUser|UseSyslog)( |$)/d'
}

# What signatures are checked with: the image's keyring, less its secrets; where it has none, one of
# the keys that its packages brought, as the first boot makes it.
keyring() {
    own=$(pacman-conf GPGDir)
    mkdir -m 700 "$work/keyring"
    if [ -s "$own/pubring.gpg" ] || [ -s "$own/pubring.kbx" ]; then
        for file in pubring.gpg pubring.kbx trustdb.gpg gpg.conf; do
            [ ! -e "$own/$file" ] || cp "$own/$file" "$work/keyring/"
        done
    else
        : >"$work/keyring/pubring.gpg"
        gpg --homedir "$work/keyring" --batch --quiet --passphrase '' \
            --quick-generate-key 'racker <racker@localhost>' ed25519 cert never
        pacman-key --gpgdir "$work/keyring" --init
        pacman-key --gpgdir "$work/keyring" --populate || :
    fi
}
