//! Layers with everything that a layer can say.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

struct Maker(tar::Builder<fs::File>);

impl Maker {
    fn new(path: &Path) -> Self {
        Self(tar::Builder::new(fs::File::create(path).unwrap()))
    }

    fn add(&mut self, kind: u8, path: &[u8], mode: u32, body: &[u8], target: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.as_mut_bytes()[..path.len()].copy_from_slice(path);
        header.set_mode(mode);
        header.set_uid(if path.starts_with(b"home") { 1000 } else { 0 });
        header.set_gid(if path.starts_with(b"home") {
            3_000_000
        } else {
            0
        });
        header.set_mtime(1_600_000_000 + path.len() as u64);
        header.set_size(body.len() as u64);
        if !target.is_empty() {
            header.set_link_name(target).unwrap();
        }
        if matches!(kind, b'3' | b'4') {
            header.set_device_major(7).unwrap();
            header.set_device_minor(300).unwrap();
        }
        header.set_cksum();
        self.0.append(&header, body).unwrap();
    }

    fn xattr(&mut self, name: &str, value: &[u8]) {
        let key = format!("SCHILY.xattr.{name}");
        self.0
            .append_pax_extensions([(key.as_str(), value)])
            .unwrap();
    }

    fn finish(self) {
        self.0.into_inner().unwrap().flush().unwrap();
    }
}

/// Three layers with everything that a layer can say.
pub(crate) fn odd_layers(directory: &Path) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = (1..4)
        .map(|n| directory.join(format!("layer{n}.tar")))
        .collect();
    let mut one = Maker::new(&paths[0]);
    one.add(b'5', b"bin/", 0o755, b"", "");
    one.xattr(
        "security.capability",
        &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    one.add(b'0', b"bin/ping", 0o755, b"ping", "");
    one.add(b'0', b"bin/su", 0o4755, &vec![7; 70_000], "");
    one.add(b'1', b"bin/su2", 0o4755, b"", "bin/su");
    one.add(b'2', b"sbin", 0o777, b"", "bin");
    one.add(b'5', b"tmp/", 0o1777, b"", "");
    one.add(b'5', b"home/me/", 0o2750, b"", "");
    one.xattr("user.note", b"a\0b");
    one.add(b'0', b"home/me/caf\xe9", 0o600, b"latin", "");
    one.add(b'3', b"dev/loop", 0o660, b"", "");
    one.add(b'6', b"dev/pipe", 0o600, b"", "");
    one.add(b'5', b"opaque/", 0o755, b"", "");
    one.add(b'0', b"opaque/old", 0o644, b"old", "");
    one.add(b'5', b"gone/", 0o755, b"", "");
    one.add(b'0', b"gone/deep/file", 0o644, b"gone", "");
    one.add(b'0', b"swap", 0o644, b"file", "");
    one.add(b'5', b"paws/", 0o755, b"", "");
    one.add(b'0', b"paws/x", 0o644, b"x", "");
    one.add(b'0', b"empty", 0o000, b"", "");
    one.finish();
    let mut two = Maker::new(&paths[1]);
    two.add(b'0', b".wh.gone", 0o644, b"", "");
    two.add(b'5', b"opaque/", 0o700, b"", "");
    two.add(b'0', b"opaque/new", 0o644, b"new", "");
    two.add(b'0', b"opaque/.wh..wh..opq", 0o644, b"", "");
    two.add(b'5', b"swap/", 0o755, b"", "");
    two.add(b'0', b"swap/inner", 0o644, b"inner", "");
    two.add(b'0', b"paws", 0o644, b"now a file", "");
    two.add(b'1', b"bin/su3", 0o4755, b"", "bin/su");
    two.add(b'0', b"bin/ping", 0o711, b"pong", "");
    two.finish();
    let mut three = Maker::new(&paths[2]);
    three.add(b'5', b"gone/", 0o711, b"", "");
    three.add(b'0', b"gone/again", 0o644, b"again", "");
    three.add(b'0', b"bin/.wh.su2", 0o644, b"", "");
    three.finish();
    paths
}
