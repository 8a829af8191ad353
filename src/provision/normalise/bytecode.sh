# What is newer than $x/state/started is the step's.
# Python before 3.11 writes sets into its bytecode in an order that is random, unless the seed of its
# hashes is fixed; package scripts run it in a way that takes no notice of the environment.
for python in /usr/bin/python3.[0-9] /usr/bin/python3.10; do
    [ -x "$python" ] || continue
    tag=cpython-$(basename "$python" | tr -dc 0-9)
    find / -xdev -name "*.$tag*.pyc" -newer "$x/state/started" |
        PYTHONHASHSEED=0 "$python" -S -c '
import importlib.util, py_compile, sys
for line in sys.stdin:
    cache = line.rstrip("\n")
    optimize = int(cache.rsplit(".opt-", 1)[1][0]) if ".opt-" in cache else 0
    try:
        source = importlib.util.source_from_cache(cache)
    except ValueError:
        continue
    py_compile.compile(source, cfile=cache, optimize=optimize)
'
done
