//! The validators that `tests/setup --all` installs: those of the SPDX and CycloneDX projects, and
//! the reader of package URLs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const PYTHON: &str = "/usr/local/lib/racker-tests/bin/python";

const SPDX: &str = r#"
import json, sys, tempfile
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
with tempfile.NamedTemporaryFile(suffix=".spdx.json") as file:
    file.write(sys.stdin.buffer.read())
    file.flush()
    found = validate_full_spdx_document(parse_file(file.name))
    for message in found:
        print(message.validation_message, message.context.spdx_id)
    for package in json.load(open(file.name))["packages"]:
        for reference in package.get("externalRefs", []):
            purl = reference["referenceLocator"]
            if PackageURL.from_string(purl).to_string() != purl:
                print("not canonical:", purl)
"#;

const CYCLONEDX: &str = r#"
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = sys.stdin.read()
found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if found is not None:
    print(found)
references = [it["bom-ref"] for it in json.loads(text)["components"]]
if len(set(references)) != len(references):
    print("a reference stands for two components")
"#;

/// Fails unless this is a valid SPDX document with canonical package URLs.
#[track_caller]
pub(crate) fn spdx(document: &[u8]) {
    check(SPDX, document);
}

/// Fails unless this is a valid CycloneDX document.
#[track_caller]
pub(crate) fn cyclonedx(document: &[u8]) {
    check(CYCLONEDX, document);
}

#[track_caller]
fn check(script: &str, document: &[u8]) {
    assert!(
        Path::new(PYTHON).exists(),
        "the validators are missing; install them: tests/setup --all"
    );
    let mut child = Command::new(PYTHON)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(document).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}{error}");
}
