# What both phases need of dnf 5. Its plugin "local" copies packages into a repository of its own, and fails
# where createrepo_c is missing.
dnf5() {
    command dnf5 --assumeyes --disable-plugin=local "$@"
}

# The repositories that are enabled: name, whether packages are checked, whether metadata is.
repositories() {
    dnf5 --dump-repo-config='*' 2>/dev/null | while IFS= read -r line; do
        case $line in
        '======== "'*)
            name=${line#*\"}
            name=${name%%\"*}
            ;;
        'enabled = '*) enabled=${line##* } ;;
        'gpgcheck = '* | 'pkg_gpgcheck = '*) packages=${line##* } ;;
        'repo_gpgcheck = '*) [ "$enabled" != 1 ] || echo "$name $packages ${line##* }" ;;
        esac
    done
}

