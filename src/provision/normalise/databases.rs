//! Databases that packages create, each with an identity of its own.

use racker_store::{Content, NodeRef};

use super::context::Context;
use super::identity::FirstBoot;
use crate::provision::Result;

const CLUSTERS: &str = "var/lib/postgresql";

/// Removes the data of PostgreSQL's new clusters, in Debian's layout: their configuration stays in
/// `/etc/postgresql/VERSION/NAME`, and is what starts them. Source: `pg_createcluster(1)`.
pub(super) fn postgresql(context: &mut Context<'_>) -> Result<()> {
    for version in context.names(CLUSTERS) {
        for name in context.names(&format!("{CLUSTERS}/{version}")) {
            let data = format!("{CLUSTERS}/{version}/{name}");
            let configuration = format!("etc/postgresql/{version}/{name}/postgresql.conf");
            let created = context.changed(&format!("{data}/PG_VERSION"));
            let configured = matches!(
                context.tree.get(configuration.as_bytes()),
                Some(NodeRef::Inode(_, inode)) if matches!(inode.content, Content::File { .. })
            );
            if created && configured {
                context.remove(&data);
                let unit = format!("racker-postgresql-{version}-{name}.service");
                let text = cluster(&version, &name);
                FirstBoot {
                    name: &unit,
                    text: &text,
                }
                .leave(context)?;
            }
        }
    }
    Ok(())
}

/// The unit that makes a cluster: as `pg_createcluster` does, less the configuration, which is
/// there. The locale is the one that packages are installed with.
fn cluster(version: &str, name: &str) -> String {
    let data = format!("/{CLUSTERS}/{version}/{name}");
    let instance = format!("{version}-{name}");
    format!(
        "[Unit]\n\
         Description=PostgreSQL cluster {version} {name} of this machine\n\
         ConditionPathExists=!{data}/PG_VERSION\n\
         RequiresMountsFor={data}\n\
         Before=postgresql.service postgresql@{instance}.service\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         Environment=LC_ALL=C.UTF-8\n\
         ExecStart=/usr/bin/install -d -m 0700 -o postgres -g postgres {data}\n\
         ExecStart=/sbin/runuser -u postgres -- /usr/lib/postgresql/{version}/bin/initdb -D {data} --auth=trust\n\
         ExecStart=/bin/rm -f {data}/postgresql.conf {data}/pg_hba.conf {data}/pg_ident.conf\n"
    )
}

const MARIADB: FirstBoot<'_> = FirstBoot {
    name: "racker-mariadb.service",
    text: "\
[Unit]
Description=MariaDB's data of this machine
ConditionPathExists=!/var/lib/mysql/mysql
ConditionFileIsExecutable=/usr/bin/mariadb-install-db
RequiresMountsFor=/var/lib/mysql
Before=mariadb.service mysql.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mariadb-install-db --rpm --cross-bootstrap --user=mysql --disable-log-bin --skip-test-db
",
};

/// Removes MariaDB's new data, and leaves the marks of which version made the directory. Source:
/// `mariadb-install-db(1)`.
pub(super) fn mariadb(context: &mut Context<'_>) -> Result<()> {
    const DATA: &str = "var/lib/mysql";
    let maker = context.tree.lookup(b"usr/bin/mariadb-install-db").is_ok();
    if !maker || !context.changed(&format!("{DATA}/aria_log_control")) {
        return Ok(());
    }
    context.remove_in(DATA, |name| name.strip_suffix(".flag").is_none());
    MARIADB.leave(context)
}

const ALIASES: FirstBoot<'_> = FirstBoot {
    name: "racker-aliases.service",
    text: "\
[Unit]
Description=Index of mail aliases
ConditionPathExists=!/etc/aliases.db
ConditionFileIsExecutable=/usr/bin/newaliases
Before=postfix.service postfix@-.service sendmail.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/newaliases
",
};

/// Removes the index of mail aliases. Source: `newaliases(1)`.
pub(super) fn aliases(context: &mut Context<'_>) -> Result<()> {
    let before = context.touched.len();
    context.remove("etc/aliases.db");
    if context.touched.len() > before {
        ALIASES.leave(context)
    } else {
        Ok(())
    }
}
