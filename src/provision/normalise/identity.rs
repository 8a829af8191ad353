//! What makes one machine different from another, and is therefore made at its first boot.

use racker_store::{Content, Inode, Metadata, NodeRef, Time};

use super::context::Context;
use super::rule::Spare;
use crate::provision::Result;

/// A unit that makes something again, and what it must not come later than.
pub(super) struct FirstBoot<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

const SSH: FirstBoot<'_> = FirstBoot {
    name: "racker-ssh-host-keys.service",
    text: "\
[Unit]
Description=SSH host keys of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
ConditionFileIsExecutable=/usr/bin/ssh-keygen
Wants=network.target
Before=network.target ssh.service sshd.service ssh.socket sshd.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
",
};

/// The search for primes takes longer than the rest of the installation together, at times.
pub(super) const SSH_HOST_KEYS: Spare = Spare {
    package: "openssh-server",
    paths: &[
        "/etc/ssh/ssh_host_ecdsa_key",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_rsa_key",
    ],
};

const SNAKEOIL: FirstBoot<'_> = FirstBoot {
    name: "racker-snakeoil.service",
    text: "\
[Unit]
Description=Self-signed certificate of this machine
ConditionPathExists=!/etc/ssl/private/ssl-cert-snakeoil.key
ConditionFileIsExecutable=/usr/sbin/make-ssl-cert
Wants=network.target
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/make-ssl-cert generate-default-snakeoil
",
};

impl FirstBoot<'_> {
    /// Puts the unit there, wanted by everything that is not a rescue.
    pub(super) fn leave(&self, context: &mut Context<'_>) -> Result<()> {
        let units = "usr/lib/systemd/system";
        context.write(
            &format!("{units}/{}", self.name),
            0o644,
            self.text.as_bytes(),
        )?;
        let link = format!("{units}/multi-user.target.wants/{}", self.name);
        context.symlink(&link, &format!("../{}", self.name))
    }
}

pub(super) fn machine_id(context: &mut Context<'_>) -> Result<()> {
    let path = "etc/machine-id";
    let metadata = match context.tree.get(path.as_bytes()) {
        Some(NodeRef::Inode(_, inode)) => match inode.content {
            Content::File { object: None, .. } => None,
            _ => Some(inode.metadata.clone()),
        },
        None if context.has_systemd() => Some(Metadata::new(0o444)),
        Some(NodeRef::Directory(_)) | None => None,
    };
    if let Some(metadata) = metadata {
        let mtime = Time {
            seconds: context.epoch,
            nanoseconds: 0,
        };
        let metadata = Metadata { mtime, ..metadata };
        context.insert(
            path,
            Inode {
                metadata,
                content: Content::EMPTY,
            },
        )?;
    }
    let copy = "var/lib/dbus/machine-id";
    if let Some(NodeRef::Inode(_, inode)) = context.tree.get(copy.as_bytes())
        && matches!(inode.content, Content::File { .. })
    {
        context.tree.remove(copy.as_bytes());
        context.touched.push(copy.into());
    }
    Ok(())
}

pub(super) fn random_seed(context: &mut Context<'_>) {
    for path in [
        "var/lib/systemd/random-seed",
        "var/lib/systemd/credential.secret",
        "var/lib/urandom/random-seed",
    ] {
        context.remove(path);
    }
}

pub(super) fn ssh_host_keys(context: &mut Context<'_>) -> Result<()> {
    let before = context.touched.len();
    context.remove_in("etc/ssh", |name| name.starts_with("ssh_host_"));
    if context.touched.len() > before {
        SSH.leave(context)
    } else {
        Ok(())
    }
}

pub(super) fn snakeoil(context: &mut Context<'_>) -> Result<()> {
    const CERTIFICATE: &str = "ssl-cert-snakeoil.pem";
    let before = context.touched.len();
    context.remove("etc/ssl/private/ssl-cert-snakeoil.key");
    context.remove(&format!("etc/ssl/certs/{CERTIFICATE}"));
    if context.touched.len() == before {
        return Ok(());
    }
    // The certificate is also known by its hash.
    for name in context.names("etc/ssl/certs") {
        let path = format!("etc/ssl/certs/{name}");
        if let Some(NodeRef::Inode(_, inode)) = context.tree.get(path.as_bytes())
            && matches!(&inode.content, Content::Symlink(target) if **target == *CERTIFICATE.as_bytes())
        {
            context.remove(&path);
        }
    }
    SNAKEOIL.leave(context)
}

/// A secret that a service shares with the programs that control it.
struct Secret {
    path: &'static str,
    /// Who must not start before, and is told apart by it; none where the service makes its own.
    service: Option<&'static str>,
    /// A shell command that makes the file; its owner and mode come after.
    make: &'static str,
}

const SECRETS: [Secret; 3] = [
    Secret {
        path: "etc/bind/rndc.key",
        service: Some("named"),
        make: "/usr/sbin/rndc-confgen -a",
    },
    Secret {
        path: "etc/varnish/secret",
        service: Some("varnish"),
        make: "head -c 256 /dev/urandom > /etc/varnish/secret",
    },
    // Source: "Distributed Erlang" in the Erlang reference manual, "Magic Cookies".
    Secret {
        path: "var/lib/rabbitmq/.erlang.cookie",
        service: None,
        make: "",
    },
];

/// Removes new secrets of services, and has those made again that the service does not make.
pub(super) fn service_secrets(context: &mut Context<'_>) -> Result<()> {
    for secret in SECRETS {
        let Some(NodeRef::Inode(_, inode)) = context.tree.get(secret.path.as_bytes()) else {
            continue;
        };
        let Metadata { uid, gid, mode, .. } = inode.metadata;
        let before = context.touched.len();
        context.remove(secret.path);
        if context.touched.len() == before {
            continue;
        }
        if let Some(service) = secret.service {
            let Secret { path, make, .. } = secret;
            let name = format!("racker-{service}-secret.service");
            let text = format!(
                "[Unit]\n\
                 Description=Secret of this machine's {service}\n\
                 ConditionPathExists=!/{path}\n\
                 Before={service}.service\n\
                 \n\
                 [Service]\n\
                 Type=oneshot\n\
                 RemainAfterExit=yes\n\
                 UMask=0077\n\
                 ExecStart=/bin/sh -c '{make}'\n\
                 ExecStart=/bin/chown {uid}:{gid} /{path}\n\
                 ExecStart=/bin/chmod {mode:04o} /{path}\n"
            );
            FirstBoot {
                name: &name,
                text: &text,
            }
            .leave(context)?;
        }
    }
    Ok(())
}
