# Runs in the image, with the network.
x=/run/racker
rm -rf "$x/result"
mkdir -p "$x/metadata/dnf" "$x/cache" "$x/result"

# A dnf that is a script is dnf 4.
program=$(readlink -f /usr/bin/dnf || :)
line=
[ ! -f "$program" ] || IFS= read -r line <"$program" 2>/dev/null || :
case $line in
'#!'*python*)
    # The words after the marks are the interpreter and its options.
    # shellcheck disable=SC2086
    set -- ${line#'#!'}
    "$1" "$x/resolve/transaction.py" resolve 2>"$x/result/errors" || {
        cat "$x/result/errors" >&2
        exit 1
    }
    find "$x/metadata/dnf" -name '*.solv*' -exec rm -f {} +
    ;;
*)
    echo "transaction: unsupported: " | tee "$x/result/errors" >&2
    exit 1
    ;;
esac
