//! An authority and a certificate for 127.0.0.1, made by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{execute, tool};

/// Makes `ca.crt`, `server.crt`, `server.key`, `client.cert` and `client.key` in a directory.
pub(crate) fn certificates(directory: &Path) {
    let openssl = tool("openssl", "openssl");
    let run = |arguments: &str| {
        let mut command = Command::new(&openssl);
        command.current_dir(directory);
        execute(command.args(arguments.split(' ')));
    };
    fs::write(
        directory.join("leaf.cnf"),
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    run("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt");
    run("req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr");
    run(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
         -extfile leaf.cnf -out server.crt",
    );
    run("req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr");
    run(
        "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
         -extfile leaf.cnf -out client.cert",
    );
}
