#!/usr/bin/env python3
"""Times what a run costs at the least: systemd-nspawn alone on the same overlay.

    bare.py STORE TREE {boot|direct} RUNS

Mounts the tree's EROFS image id-mapped with an overlay on top, as racker does, outside of what is
timed. boot: from the start of `systemd-nspawn --boot` with racker's masks and `basic.target` to
READY=1, SIGKILL and the end of everything. direct: `systemd-nspawn --as-pid2 true`. Prints one time
in seconds per run. Must run as root in a mount namespace of its own: `unshare -m`.
"""
import ctypes, os, re, socket, subprocess, sys, time

store, tree, mode, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
libc = ctypes.CDLL(None, use_errno=True)
BASE = 600_000_000 - 600_000_000 % 65536
boot_rs = open(os.path.join(os.path.dirname(__file__), "../src/container/boot.rs")).read()
masks = re.findall(r'^    "(.+)",$', boot_rs, re.M) + ["systemd-logind.service", "systemd-user-sessions.service"]


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def shell(command):
    subprocess.check_call(command, shell=True)


def id_mapped(path, at):
    """A copy of the mount at `path`, id-mapped, at `at`."""
    holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
    while os.readlink(f"/proc/{holder.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
        time.sleep(0.001)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{holder.pid}/{name}", "w") as file:
            file.write(f"0 {BASE} 65536\n")
    namespace = os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY)
    fd = check(libc.syscall(428, -100, path.encode(), 1))
    attributes = (ctypes.c_uint64 * 4)(0x00100000, 0, 0, namespace)
    check(libc.syscall(442, fd, b"", 0x1000, attributes, 32))
    os.makedirs(at)
    check(libc.syscall(429, fd, b"", -100, at.encode(), 4))
    holder.kill()
    holder.wait()


shell("mount --make-rprivate / && mkdir -p /run/systemd/nspawn && mount -t tmpfs t /run/systemd/nspawn")
shell("mount -t tmpfs t /mnt && mount -t cgroup2 c /sys/fs/cgroup")
shell(f"mkdir /mnt/plain && mount -t erofs {store}/trees/{tree}.erofs /mnt/plain")
id_mapped("/mnt/plain", "/mnt/tree")
for number in range(runs):
    place, group = f"{store}/stage/bare-{os.getpid()}-{number}", f"/sys/fs/cgroup/bare-{os.getpid()}-{number}"
    root = f"/mnt/root{number}"
    shell(f"mkdir -p {place}/u {place}/w {root} {group} && chown {BASE}:{BASE} {place}/u")
    shell(f"mount -t overlay o -o volatile,lowerdir=/mnt/tree::{store}/objects,upperdir={place}/u,workdir={place}/w {root}")
    address = f"/mnt/notify{number}"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(address)
    command = ["systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit", f"--directory={root}",
               f"--machine=bare-{number}", f"--private-users={BASE}:65536", "--private-users-ownership=off",
               "--link-journal=no", "--timezone=off", "--private-network", "--resolv-conf=off"]
    if mode == "boot":
        command += ["--boot", "--notify-ready=yes", "--kill-signal=SIGRTMIN+3", "--console=read-only",
                    "--setenv=SYSTEMD_DEFAULT_MOUNT_RATE_LIMIT_BURST=10000", "--setenv=TERM=dumb",
                    "systemd.show_status=0", "systemd.unit=basic.target", *(f"systemd.mask={unit}" for unit in masks)]
    else:
        command += ["--as-pid2", "--console=pipe", "true"]
    environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": address, "SYSTEMD_NSPAWN_LOCK": "0",
                   "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               preexec_fn=lambda: open(f"{group}/cgroup.procs", "w").write("0"))
    if mode == "boot":
        leader = None
        while True:
            message = notify.recv(4096).decode()
            found = re.search(r"X_NSPAWN_LEADER_PID=(\d+)", message)
            leader = int(found[1]) if found else leader
            if "READY=1" in message:
                break
        os.kill(leader, 9)
    process.wait()
    print(f"{time.monotonic() - start:.4f}", flush=True)
    with open(f"{group}/cgroup.kill", "w") as file:
        file.write("1")
    shell(f"umount {root} && rm -rf {place}")
