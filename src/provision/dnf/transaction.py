# Runs in the image, under the Python of its dnf 4. Argument: the directory of the phase, which has
# request.json in it: "resolve" writes what would be installed, "install" installs.
import fnmatch
import json
import os
import sys

import dnf
import dnf.callback
import dnf.exceptions
import libdnf.transaction

X = "/run/racker"
HOLD = "racker-hold"


class Refused(Exception):
    """An error of a kind that racker knows; its arguments are the kind and the details."""


class Progress(dnf.callback.TransactionProgress):
    """Says what a transaction does."""

    def __init__(self):
        super().__init__()
        self.said = None
        self.errors = []

    def progress(self, package, action, ti_done, ti_total, ts_done, ts_total):
        line = "%s %s" % (dnf.transaction.ACTIONS.get(action, action), package)
        if package and line != self.said:
            self.said = line
            print(line, flush=True)

    def scriptout(self, msgs):
        if msgs:
            print(msgs, flush=True)

    def error(self, message):
        self.errors.append(str(message))
        print("error: %s" % message, file=sys.stderr, flush=True)


def matches(package, version):
    forms = (package.evr, "%s-%s" % (package.v, package.r), package.v)
    return any(fnmatch.fnmatchcase(form, version) for form in forms)


def install(base, name, version):
    """Asks for a name, with a version that may be a pattern."""
    if version is None:
        base.install(name)
        return
    query = base.sack.query().filterm(name=name)
    if not query:
        bare, _, arch = name.rpartition(".")
        query = base.sack.query().filterm(name=bare, arch=arch)
    if not query.available() and not query.installed():
        raise Refused("unknown", name)
    found = [it for it in query.available() if matches(it, version)]
    if found:
        native = (base.conf.substitutions["arch"], base.conf.substitutions["basearch"], "noarch")
        found.sort(key=lambda it: it.arch not in native)
        best = max(it for it in found if (it.arch in native) == (found[0].arch in native))
        base.package_install(best)
    elif not any(matches(it, version) for it in query.installed()):
        raise Refused("version", "%s\t%s" % (name, version))


def ask(base, request):
    for name, version in request["install"]:
        install(base, name, version)
    for package in base.add_remote_rpms(request["files"]) if request["files"] else []:
        base.package_install(package)
    for name in request["remove"]:
        base.remove(name)
    base.resolve(allow_erasing=True)


def configured(request):
    """A base as the image has it configured, but for what racker decides."""
    base = dnf.Base()
    conf = base.conf
    conf.read()
    conf.substitutions.update_from_etc(conf.installroot)
    for name in [name for name, value in conf.substitutions.items() if value is None]:
        del conf.substitutions[name]
    conf.assumeyes = True
    conf.best = True
    conf.install_weak_deps = request["recommends"]
    for name in ("zchunk", "deltarpm", "fastestmirror", "countme"):
        if hasattr(conf, name):
            setattr(conf, name, False)
    return base


def needs_modules(base):
    container = getattr(base, "_moduleContainer", None)
    enabled = container.getEnabledStreams() if container else {}
    names = ["%s:%s" % item for item in dict(enabled).items()]
    if names:
        raise Refused("modules", " ".join(sorted(names)))


def resolve(request):
    base = configured(request)
    base.conf.cachedir = X + "/metadata/dnf"
    base.conf.logdir = X + "/cache"
    base.init_plugins()
    base.pre_configure_plugins()
    base.read_all_repos()
    base.configure_plugins()
    enabled = list(base.repos.iter_enabled())
    if not enabled:
        raise Refused("sources", "")
    for repo in enabled:
        # What is here already serves every step; a repository that does not answer is no detail.
        repo.metadata_expire = -1
        repo.skip_if_unavailable = False
        if not (repo.gpgcheck or repo.repo_gpgcheck or request["unsigned"]):
            raise Refused("untrusted", repo.id)
        if request["unsigned"]:
            repo.repo_gpgcheck = False
    keep_only(base, enabled)
    if request["hold"]:
        base.repos.add_new_repo(
            HOLD, base.conf, baseurl=["file://%s/hold" % X], gpgcheck=False, repo_gpgcheck=False,
            module_hotfixes=True)
    base.fill_sack(load_system_repo=True)
    for name, version, arch in request["hold"]:
        query = base.sack.query().available().filterm(name=name, arch=arch)
        others = [it for it in query if it.evr != version]
        base.sack.add_excludes(base.sack.query().filterm(pkg=others))
    ask(base, request)
    needs_modules(base)
    with open(X + "/result/packages.partial", "w", encoding="utf-8") as result:
        for it in base.transaction.install_set:
            if it.repoid != "@commandline":
                url = it.remote_location(schemes=("http", "https")) or it.remote_location() or ""
                place = url[: -len(it.location)] if url.endswith(it.location) else url
                print(it.repoid, it.name, it.evr, it.arch, place, sep="\t", file=result)
    os.rename(X + "/result/packages.partial", X + "/result/packages")


def keep_only(base, enabled):
    """Forgets the metadata of repositories that are gone or lie elsewhere now."""
    import shutil

    directory = base.conf.cachedir
    known = {os.path.basename(repo._repo.getCachedir()) for repo in enabled}
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if name not in known and os.path.isdir(path):
            shutil.rmtree(path)


def add_repository(base, name, **options):
    directory = "%s/repo/%s" % (X, name)
    base.repos.add_new_repo(
        "racker-" + name, base.conf, baseurl=["file://" + directory], module_hotfixes=True,
        repo_gpgcheck=False, **options)


def check_signatures(base):
    for package in base.transaction.install_set:
        result, error = base.package_signature_check(package)
        if result == 1:
            try:
                base.package_import_key(package, askcb=lambda *_: True)
            except (ValueError, dnf.exceptions.Error) as failed:
                raise Refused("signature", "%s: %s" % (package, failed or error))
            result, error = base.package_signature_check(package)
        if result:
            raise Refused("signature", str(error or package))


def perform(request):
    base = configured(request)
    base.conf.cachedir = X + "/state/cache"
    base.conf.logdir = X + "/state/log"
    # The image's own repositories say what is checked, and by which keys.
    base.read_all_repos()
    enabled = list(base.repos.iter_enabled())
    keys = [key for repo in enabled for key in repo.gpgkey if key.startswith("file:")]
    checks = [repo.gpgcheck and not request["unsigned"] for repo in enabled]
    base.repos.all().disable()
    add_repository(base, "signed", gpgcheck=any(checks), gpgkey=keys)
    add_repository(base, "bare", gpgcheck=bool(checks) and all(checks), gpgkey=keys)
    add_repository(base, "local", gpgcheck=False)
    base.fill_sack(load_system_repo=True)
    ask(base, request)
    base.download_packages(list(base.transaction.install_set))
    check_signatures(base)
    progress = Progress()
    try:
        base.do_transaction(progress)
    except dnf.exceptions.Error as error:
        raise Refused("failed", "; ".join(progress.errors + [str(error)]))
    failed = libdnf.transaction.TransactionItemState_ERROR
    failed = [str(it) for it in base.transaction if it.state == failed]
    if failed:
        reasons = progress.errors or ["these could not be installed or removed: " + " ".join(failed)]
        raise Refused("failed", "; ".join(reasons))
    base.close()


def kind(error):
    """What racker calls an error of dnf's."""
    text = str(error)
    if isinstance(error, Refused):
        return error.args
    if isinstance(error, dnf.exceptions.MarkingError):
        return "unknown", getattr(error, "pkg_spec", None) or text
    if isinstance(error, dnf.exceptions.DepsolveError):
        return "unsatisfiable", text
    if isinstance(error, dnf.exceptions.RepoError):
        signature = "GPG" in text or "signature" in text
        return "signature" if signature else "unreachable", text
    return "failed", text or type(error).__name__


def main():
    with open("%s/%s/request.json" % (X, sys.argv[1]), encoding="utf-8") as file:
        request = json.load(file)
    try:
        (resolve if sys.argv[1] == "resolve" else perform)(request)
    except (Refused, dnf.exceptions.Error, OSError) as error:
        name, details = kind(error)
        # racker looks for this line, in a log too.
        print("transaction: %s: %s" % (name, details.replace("\n", "; ")), file=sys.stderr, flush=True)
        sys.exit(1)


main()
