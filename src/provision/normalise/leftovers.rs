//! What tools leave behind and nobody needs.

use racker_store::NodeRef;

use super::context::Context;
use crate::provision::Result;

pub(super) fn package_logs(context: &mut Context<'_>) {
    let names = ["dpkg", "alternatives", "bootstrap", "fontconfig"];
    for name in names {
        context.remove(&format!("var/log/{name}.log"));
    }
    context.remove_in("var/log/apt", |_| true);
    context.remove_in("var/log", |name| {
        let dnf = name.starts_with("dnf") || matches!(name, "hawkey.log" | "yum.log");
        (dnf && name.contains(".log")) || name.starts_with("zypper.log")
    });
    context.remove("var/log/zypp/history");
}

pub(super) fn ldconfig_cache(context: &mut Context<'_>) {
    context.remove("var/cache/ldconfig/aux-cache");
}

pub(super) fn apt_cache(context: &mut Context<'_>) {
    let has = |name: &str, extension: &str| name.ends_with(extension);
    context.remove_in("var/cache/apt", |name| has(name, "pkgcache.bin"));
    context.remove_in("var/cache/apt/archives", |name| {
        has(name, ".deb") || name == "lock"
    });
    context.remove_in("var/cache/apt/archives/partial", |_| true);
}

pub(super) fn apt_lists(context: &mut Context<'_>) {
    context.remove_in("var/lib/apt/lists", |name| name != "partial");
    context.remove_in("var/lib/apt/lists/partial", |_| true);
    context.remove_in("var/lib/apt/periodic", |_| true);
}

pub(super) fn apk_log(context: &mut Context<'_>) {
    context.remove("var/log/apk.log");
}

pub(super) fn apk_cache(context: &mut Context<'_>) {
    for directory in ["var/cache/apk", "etc/apk/cache"] {
        context.remove_in(directory, |_| true);
    }
}

pub(super) fn home_caches(context: &mut Context<'_>) {
    for path in [".cache", ".wget-hsts", ".npm/_logs", ".npm/_cacache"] {
        context.remove(&format!("root/{path}"));
    }
}

pub(super) fn login_records(context: &mut Context<'_>) -> Result<()> {
    for name in ["wtmp", "btmp", "lastlog", "faillog"] {
        context.empty(&format!("var/log/{name}"))?;
    }
    Ok(())
}

pub(super) fn journal(context: &mut Context<'_>) {
    let machine = |name: &str| name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
    context.remove_in("var/log/journal", machine);
}

pub(super) fn host_files(context: &mut Context<'_>) -> Result<()> {
    for path in ["etc/resolv.conf", "etc/hostname"] {
        if !context.changed(path) {
            continue;
        }
        match context.base.get(path.as_bytes()) {
            Some(NodeRef::Inode(_, inode)) => context.insert(path, inode.clone())?,
            _ => context.remove(path),
        }
    }
    Ok(())
}
