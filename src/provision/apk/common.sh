# Runs in the image. What is written to lies in $x, where host and guest meet.
x=/run/racker
work=$x/work
rm -rf "$work"
mkdir -p "$work/cache" "$work/repo"
arch=$(apk --print-arch)
