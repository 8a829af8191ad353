//! Applying the rules.

use std::collections::BTreeSet;

use racker_store::{PathBytes, Tree};

use super::context::{Bodies, Context};
use super::rule::{Action, After, RULES, Rule, Stage};
use crate::provision::Result;

/// A rule that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The rule's name.
    pub rule: &'static str,
    /// The rule's version.
    pub version: u32,
    /// The paths that it removed, emptied or wrote.
    pub paths: Vec<PathBytes>,
}

/// Applies to `tree`, which a step made of `base`, every rule that is not in `disabled`.
pub fn normalise(
    base: &Tree,
    tree: &mut Tree,
    after: After,
    epoch: i64,
    disabled: &BTreeSet<String>,
    bodies: &dyn Bodies,
) -> Result<Vec<Applied>> {
    let mut applied = Vec::new();
    for rule in active(after, disabled).filter(|rule| rule.stage == Stage::Tree) {
        let paths = apply(rule, base, tree, epoch, bodies)?;
        if !paths.is_empty() {
            applied.push(Applied {
                rule: rule.name,
                version: rule.version,
                paths,
            });
        }
    }
    Ok(applied)
}

/// Applies one rule; tells what it removed, emptied or wrote.
pub(super) fn apply(
    rule: &Rule,
    base: &Tree,
    tree: &mut Tree,
    epoch: i64,
    bodies: &dyn Bodies,
) -> Result<Vec<PathBytes>> {
    let mut context = Context {
        base,
        tree,
        epoch,
        bodies,
        touched: Vec::new(),
    };
    match rule.action {
        Action::Elsewhere => {}
        Action::Remove(apply) => apply(&mut context),
        Action::Rewrite(apply) => apply(&mut context)?,
    }
    Ok(context.touched)
}

/// What a step's key says of the rules: `NAME-VERSION` of each that is on.
pub fn key(after: After, disabled: &BTreeSet<String>) -> Vec<String> {
    active(after, disabled)
        .map(|rule| format!("{}-{}", rule.name, rule.version))
        .collect()
}

/// What an installation ends with, for the rules that are carried out by the step itself.
pub fn finish(disabled: &BTreeSet<String>) -> String {
    let rules = active(After::Packages, disabled);
    rules.filter_map(|rule| rule.script).collect()
}

/// Files that the scripts of `packages` need not make, because a rule removes them: absolute paths
/// of which `base` has none.
pub fn spared<'a>(
    base: &Tree,
    after: After,
    disabled: &BTreeSet<String>,
    packages: impl Fn(&str) -> bool + 'a,
) -> Vec<&'static str> {
    active(after, disabled)
        .filter_map(|rule| rule.spare)
        .filter(|spare| packages(spare.package))
        .flat_map(|spare| spare.paths)
        .filter(|path| base.lookup(path.as_bytes()).is_err())
        .copied()
        .collect()
}

fn active(after: After, disabled: &BTreeSet<String>) -> impl Iterator<Item = &'static Rule> {
    RULES
        .iter()
        .filter(move |r| r.after.contains(&after) && !disabled.contains(r.name))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, HashMap};

    use racker_store::{Content, Inode, Metadata, NodeRef, ObjectId, Time};

    use super::*;

    fn file(tree: &mut Tree, path: &str, byte: u8) {
        let content = Content::File {
            object: Some(ObjectId::from_bytes([byte; 32])),
            size: 9,
        };
        let metadata = Metadata::new(0o644);
        tree.insert(path.as_bytes(), Inode { metadata, content })
            .unwrap();
    }

    /// Bodies in memory.
    #[derive(Default)]
    struct Memory(RefCell<HashMap<ObjectId, Vec<u8>>>);

    impl Bodies for Memory {
        fn get(&self, id: ObjectId) -> racker_store::Result<Vec<u8>> {
            Ok(self.0.borrow().get(&id).cloned().unwrap_or_default())
        }

        fn put(&self, bytes: &[u8]) -> racker_store::Result<ObjectId> {
            let id = ObjectId::of(bytes);
            self.0.borrow_mut().insert(id, bytes.to_vec());
            Ok(id)
        }
    }

    fn run(base: &Tree, tree: &mut Tree, disabled: &[&str]) -> BTreeMap<&'static str, String> {
        run_with(base, tree, disabled, &Memory::default())
    }

    fn run_with(
        base: &Tree,
        tree: &mut Tree,
        disabled: &[&str],
        bodies: &Memory,
    ) -> BTreeMap<&'static str, String> {
        let disabled = disabled.iter().map(|name| (*name).to_owned()).collect();
        let applied = normalise(
            base,
            tree,
            After::Packages,
            1_700_000_000,
            &disabled,
            bodies,
        )
        .unwrap();
        applied
            .into_iter()
            .map(|a| (a.rule, String::from_utf8(a.paths.join(&b' ')).unwrap()))
            .collect()
    }

    #[test]
    fn what_the_step_left_goes_and_what_the_base_had_stays() {
        let mut base = Tree::default();
        file(&mut base, "var/log/alternatives.log", 1);
        file(&mut base, "etc/hostname", 1);
        file(&mut base, "etc/ssh/ssh_host_rsa_key", 1);
        let mut tree = base.clone();
        for path in [
            "var/log/dpkg.log",
            "var/log/apt/term.log",
            "var/log/wtmp",
            "var/cache/ldconfig/aux-cache",
            "var/lib/apt/lists/m_InRelease",
            "etc/resolv.conf",
            "etc/hostname",
            "var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
        ] {
            file(&mut tree, path, 2);
        }
        let applied = run(&base, &mut tree, &[]);
        assert_eq!(
            applied["package-logs"],
            "var/log/dpkg.log var/log/apt/term.log"
        );
        assert_eq!(applied["host-files"], "etc/resolv.conf etc/hostname");
        assert_eq!(applied["login-records"], "var/log/wtmp");
        assert!(!applied.contains_key("ssh-host-keys"));
        assert!(!applied.contains_key("update-stamps"));
        assert!(tree.get(b"var/log/alternatives.log").is_some());
        assert!(tree.get(b"var/log/journal").is_some());
        assert!(
            tree.get(b"var/log/journal/0123456789abcdef0123456789abcdef")
                .is_none()
        );
        let Some(NodeRef::Inode(_, wtmp)) = tree.get(b"var/log/wtmp") else {
            panic!()
        };
        assert_eq!(wtmp.content, Content::EMPTY);
        let Some(NodeRef::Inode(_, name)) = tree.get(b"etc/hostname") else {
            panic!()
        };
        let Some(NodeRef::Inode(_, old)) = base.get(b"etc/hostname") else {
            panic!()
        };
        assert_eq!(name, old);
    }

    #[test]
    fn identity_is_made_again_at_boot() {
        let base = Tree::default();
        let mut tree = Tree::default();
        for path in [
            "usr/lib/systemd/systemd",
            "etc/machine-id",
            "var/lib/dbus/machine-id",
            "etc/ssh/ssh_host_rsa_key",
            "etc/ssh/ssh_host_rsa_key.pub",
            "etc/ssl/certs/ssl-cert-snakeoil.pem",
            "etc/ssl/private/ssl-cert-snakeoil.key",
        ] {
            file(&mut tree, path, 2);
        }
        let metadata = Metadata::new(0o777);
        let content = Content::Symlink(b"ssl-cert-snakeoil.pem"[..].into());
        tree.insert(b"etc/ssl/certs/0123abcd.0", Inode { metadata, content })
            .unwrap();
        let applied = run(&base, &mut tree, &[]);
        assert_eq!(
            applied["machine-id"],
            "etc/machine-id var/lib/dbus/machine-id"
        );
        assert_eq!(
            applied["ssh-host-keys"],
            "etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_rsa_key.pub \
             usr/lib/systemd/system/racker-ssh-host-keys.service \
             usr/lib/systemd/system/multi-user.target.wants/racker-ssh-host-keys.service"
        );
        assert!(applied["snakeoil-certificate"].contains("0123abcd.0"));
        assert_eq!(applied["update-stamps"], "etc/.updated var/.updated");
        let unit = b"usr/lib/systemd/system/multi-user.target.wants/racker-snakeoil.service";
        assert!(tree.lookup(unit).is_ok());
        let stamp = tree.get(b"etc/.updated").unwrap();
        assert_eq!(stamp.metadata().mtime, Time::seconds(1_700_000_000));
        // A second run finds nothing to do.
        let copy = tree.clone();
        assert_eq!(run(&copy, &mut tree, &[]), BTreeMap::new());
        assert_eq!(run(&base, &mut tree, &[]), BTreeMap::new());
    }

    fn text(tree: &mut Tree, path: &str, bodies: &Memory, content: &str) {
        let content = Content::File {
            object: Some(bodies.put(content.as_bytes()).unwrap()),
            size: content.len() as u64,
        };
        let metadata = Metadata::new(0o644);
        tree.insert(path.as_bytes(), Inode { metadata, content })
            .unwrap();
    }

    #[test]
    fn identifiers_of_font_directories_come_from_their_paths() {
        let made = |random: &str| {
            let (mut tree, bodies) = (Tree::default(), Memory::default());
            text(&mut tree, "usr/share/fonts/a/.uuid", &bodies, random);
            let cache = format!("var/cache/fontconfig/{random}-le64.cache-7");
            text(&mut tree, &cache, &bodies, "fonts");
            let applied = run_with(&Tree::default(), &mut tree, &[], &bodies);
            assert!(applied.contains_key("font-identifiers"));
            tree
        };
        let one = made("341d34db-68a3-f442-267c-7a21523f65a0");
        assert_eq!(one.id(), made("6c365eea-e8cd-add2-6dc2-a9f407d8ea2d").id());
        let Some(NodeRef::Directory(caches)) = one.get(b"var/cache/fontconfig") else {
            panic!()
        };
        assert_eq!(caches.entries.len(), 1);
    }

    #[test]
    fn the_index_of_an_old_man_db_goes() {
        for (version, goes) in [("2.9.4-2", true), ("2.11.2-2", false)] {
            let (mut tree, bodies) = (Tree::default(), Memory::default());
            let status =
                format!("Package: man\nVersion: 1\n\nPackage: man-db\nVersion: {version}\n");
            text(&mut tree, "var/lib/dpkg/status", &bodies, &status);
            file(&mut tree, "var/cache/man/it/index.db", 1);
            run_with(&Tree::default(), &mut tree, &[], &bodies);
            assert_eq!(tree.get(b"var/cache/man/it/index.db").is_none(), goes);
        }
    }

    #[test]
    fn what_a_rule_removes_need_not_be_made() {
        let mut base = Tree::default();
        file(&mut base, "etc/ssh/ssh_host_rsa_key", 1);
        let spared = |disabled: &[&str], package: &str| {
            let disabled = disabled.iter().map(|name| (*name).to_owned()).collect();
            super::spared(&base, After::Packages, &disabled, |name| name == package)
        };
        let keys = [
            "/etc/ssh/ssh_host_ecdsa_key",
            "/etc/ssh/ssh_host_ed25519_key",
        ];
        assert_eq!(spared(&[], "openssh-server"), keys);
        assert!(spared(&["ssh-host-keys"], "openssh-server").is_empty());
        assert!(spared(&[], "nginx").is_empty());
    }

    #[test]
    fn a_cluster_is_made_again_at_boot() {
        let mut tree = Tree::default();
        for path in [
            "var/lib/postgresql/15/main/PG_VERSION",
            "var/lib/postgresql/15/main/global/pg_control",
            "etc/postgresql/15/main/postgresql.conf",
            "var/lib/postgresql/15/other/PG_VERSION",
        ] {
            file(&mut tree, path, 2);
        }
        let applied = run(&Tree::default(), &mut tree, &[]);
        let unit = "usr/lib/systemd/system/racker-postgresql-15-main.service";
        assert!(applied["postgresql-cluster"].contains(unit));
        assert!(tree.get(b"var/lib/postgresql/15/main").is_none());
        assert!(
            tree.get(b"etc/postgresql/15/main/postgresql.conf")
                .is_some()
        );
        // What nothing would start again stays.
        assert!(
            tree.get(b"var/lib/postgresql/15/other/PG_VERSION")
                .is_some()
        );
        // So does what was there before.
        let mut again = Tree::default();
        file(&mut again, "var/lib/postgresql/15/main/PG_VERSION", 2);
        file(&mut again, "etc/postgresql/15/main/postgresql.conf", 2);
        assert!(!run(&again.clone(), &mut again, &[]).contains_key("postgresql-cluster"));
    }

    #[test]
    fn the_keyring_of_pacman_goes_as_a_whole() {
        let (mut base, bodies) = (Tree::default(), Memory::default());
        file(&mut base, "etc/pacman.d/gnupg/pubring.gpg", 1);
        file(&mut base, "etc/pacman.d/gnupg/gpg.conf", 1);
        let mut tree = base.clone();
        assert!(run(&base, &mut tree, &[]).is_empty());
        file(&mut tree, "etc/pacman.d/gnupg/pubring.gpg", 2);
        file(&mut tree, "usr/lib/systemd/systemd", 2);
        let desc = "var/lib/pacman/local/a-1-1/desc";
        text(&mut tree, desc, &bodies, "%INSTALLDATE%\n1764011592\n\n");
        let applied = run_with(&base, &mut tree, &[], &bodies);
        assert_eq!(applied["pacman-install-dates"], desc);
        assert!(applied["pacman-keyring"].ends_with("racker-pacman-key.service"));
        assert!(tree.get(b"etc/pacman.d/gnupg").is_none());
        assert!(tree.get(b"etc/pacman.d").is_some());
        let copy = tree.clone();
        assert_eq!(run_with(&copy, &mut tree, &[], &bodies), BTreeMap::new());
    }

    #[test]
    fn rules_are_switched_off_by_name() {
        let base = Tree::default();
        let mut tree = Tree::default();
        file(&mut tree, "var/log/dpkg.log", 2);
        assert_eq!(run(&base, &mut tree, &["package-logs"]), BTreeMap::new());
        let disabled = ["journal".to_owned(), "nonsense".to_owned()].into();
        assert!(!key(After::Run, &disabled).contains(&"journal-1".to_owned()));
        assert!(!key(After::Run, &disabled).contains(&"host-files-1".to_owned()));
        assert!(key(After::Packages, &disabled).contains(&"host-files-1".to_owned()));
    }
}
