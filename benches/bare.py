#!/usr/bin/env python3
"""Times what a run costs at the least: systemd-nspawn alone on the same overlay.

    bare.py [--tree-mount erofs|checkout] STORE TREE {boot|direct} [RUNS]

Mounts the tree id-mapped with an overlay on top, as racker does, outside of what is timed.
boot: from the start of `systemd-nspawn --boot`, with racker's masks, skipped generators and
`basic.target`, to READY=1, SIGKILL and the end of everything. direct: `systemd-nspawn --as-pid2 true`.
Prints one time in seconds per run; without RUNS, one for each line of standard input. Must run as
root in a mount namespace of its own: `unshare -m`. With checkout, racker must have made the
directories before.
"""
import argparse, ctypes, os, re, socket, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
parser.add_argument("--tree-mount", choices=["erofs", "checkout"], default="erofs")
parser.add_argument("store")
parser.add_argument("tree")
parser.add_argument("mode", choices=["boot", "direct"])
parser.add_argument("runs", type=int, nargs="?")
given = parser.parse_args()
store = os.path.abspath(given.store)
libc = ctypes.CDLL(None, use_errno=True)
BASE = 600_000_000 - 600_000_000 % 65536
boot_rs = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/container/boot.rs")).read()


def listed(constant):
    """The strings of an array in boot.rs."""
    array = re.search(rf"const {constant}: .*?= \[(.*?)\];", boot_rs, re.S)
    return re.findall(r'"(.+?)"', array[1])


masks = listed("MASKED") + ["systemd-logind.service", "systemd-user-sessions.service"]


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def shell(command):
    subprocess.check_call(command, shell=True)


def user_namespace():
    """A user namespace that has the block of ids, as a descriptor."""
    holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
    while os.readlink(f"/proc/{holder.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
        time.sleep(0.001)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{holder.pid}/{name}", "w") as file:
            file.write(f"0 {BASE} 65536\n")
    namespace = os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY)
    holder.kill()
    holder.wait()
    return namespace


def id_mapped(path, at):
    """A copy of the mount at `path`, id-mapped, at `at`."""
    fd = check(libc.syscall(428, -100, path.encode(), 1))
    attributes = (ctypes.c_uint64 * 4)(0x00100000, 0, 0, namespace)
    check(libc.syscall(442, fd, b"", 0x1000, attributes, 32))
    os.makedirs(at)
    check(libc.syscall(429, fd, b"", -100, at.encode(), 4))
    os.close(fd)
    return at


def checkouts(tree):
    """Directories that make up a tree, topmost first: store/src/checkout.rs."""
    layers, at = [], tree
    while os.path.exists(f"{store}/trees/{at}.base"):
        parent, layer = open(f"{store}/trees/{at}.base").read().split()
        if parent == "-":
            break
        layers.append(layer)
        at = parent
    if len(layers) > 8:
        sys.exit("bare.py: the tree has more layers than this knows to handle")
    return [f"{store}/checkouts/{name}" for name in (*layers, f"tree-{at}")]


def lowers():
    if given.tree_mount == "checkout":
        return ":".join(id_mapped(path, f"/mnt/layer{n}") for n, path in enumerate(checkouts(given.tree)))
    shell(f"mkdir /mnt/plain && mount -t erofs {store}/trees/{given.tree}.erofs /mnt/plain")
    return f"{id_mapped('/mnt/plain', '/mnt/tree')}::{store}/objects"


def remove_group(group):
    with open(f"{group}/cgroup.kill", "w") as file:
        file.write("1")
    for directory, _, _ in os.walk(group, topdown=False):
        for _ in range(100):
            try:
                os.rmdir(directory)
                break
            except OSError:
                time.sleep(0.01)


def one(number):
    place, group = f"{store}/stage/bare-{os.getpid()}-{number}", f"/sys/fs/cgroup/bare-{os.getpid()}-{number}"
    root = f"/mnt/root{number}"
    shell(f"mkdir -p {place}/u {place}/w {root} {group} && chown {BASE}:{BASE} {place}/u")
    shell(f"mount -t overlay o -o volatile,lowerdir={lower},upperdir={place}/u,workdir={place}/w {root}")
    address = f"/mnt/notify{number}"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(address)
    command = ["systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit", f"--directory={root}",
               f"--machine=bare-{number}", f"--private-users={BASE}:65536", "--private-users-ownership=off",
               "--link-journal=no", "--timezone=off", "--private-network", "--resolv-conf=off"]
    if given.mode == "boot":
        if not os.path.lexists(f"{root}/etc/systemd/system-generators"):
            command.append("--bind-ro=/mnt/generators:/etc/systemd/system-generators")
        command += ["--boot", "--notify-ready=yes", "--kill-signal=SIGRTMIN+3", "--console=read-only",
                    "--setenv=SYSTEMD_DEFAULT_MOUNT_RATE_LIMIT_BURST=10000", "--setenv=TERM=dumb",
                    "systemd.show_status=0", "systemd.unit=basic.target", *(f"systemd.mask={unit}" for unit in masks)]
    else:
        command += ["--as-pid2", "--console=pipe", "true"]
    environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": address, "SYSTEMD_NSPAWN_LOCK": "0",
                   "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
    errors = tempfile.TemporaryFile()
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                               preexec_fn=lambda: open(f"{group}/cgroup.procs", "w").write("0"))
    if given.mode == "boot":
        notify.settimeout(30)
        leader = None
        while True:
            message = notify.recv(4096).decode()
            found = re.search(r"X_NSPAWN_LEADER_PID=(\d+)", message)
            leader = int(found[1]) if found else leader
            if "READY=1" in message:
                break
        os.kill(leader, 9)
    code = process.wait()
    took = time.monotonic() - start
    if given.mode == "direct" and code != 0:
        errors.seek(0)
        sys.exit(f"bare.py: systemd-nspawn ended with {code}: {errors.read().decode(errors='replace')}")
    print(f"{took:.4f}", flush=True)
    notify.close()
    remove_group(group)
    shell(f"umount {root} && rm -rf {place}")


shell("mount --make-rprivate / && mkdir -p /run/systemd/nspawn && mount -t tmpfs t /run/systemd/nspawn")
shell("mount -t tmpfs t /mnt && mount -t cgroup2 c /sys/fs/cgroup")
os.mkdir("/mnt/generators")
for name in listed("SKIPPED_GENERATORS"):
    os.symlink("/dev/null", f"/mnt/generators/{name}")
namespace = user_namespace()
lower = lowers()
for number, _ in enumerate(sys.stdin if given.runs is None else range(given.runs)):
    one(number)
