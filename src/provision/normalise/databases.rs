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
