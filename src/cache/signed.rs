//! A text and who signed it.
//!
//! ```text
//! signed    = claim *signature
//! claim     = lines, none of which begins with "signature "
//! signature = "signature " NAME " " base64(64 bytes) LF
//! ```
//!
//! What is signed are the bytes of the claim. Several may sign the same claim. The name `+` is nobody's, and
//! its bytes are anything: they make the document another one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{PublicKey, SecretKey};

const WORD: &str = "signature ";
/// No key has this name.
const NOBODY: &str = "+";
/// Signatures of one claim.
const MOST: usize = 64;

/// A claim with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) claim: String,
    /// By the name of the key.
    signatures: BTreeMap<String, Vec<u8>>,
}

/// What is to be thought of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A key that is trusted signed it.
    Trusted,
    /// None did.
    Untrusted,
    /// It says so of one, and it is not true.
    Forged,
}

impl Signed {
    /// A claim that nobody signed yet.
    pub(super) fn new(claim: String) -> Self {
        Self {
            claim,
            signatures: BTreeMap::new(),
        }
    }

    /// Reads a document; nothing where it is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let start = match text.find("\nsignature ") {
            Some(end) => end + 1,
            None => text.len(),
        };
        let (claim, rest) = text.split_at(start);
        let mut signed = Self::new(claim.to_owned());
        for line in rest.lines() {
            let (name, code) = line.strip_prefix(WORD)?.split_once(' ')?;
            let signature = STANDARD.decode(code).ok()?;
            signed.signatures.insert(name.to_owned(), signature);
        }
        let fits = claim.ends_with('\n') && signed.signatures.len() <= MOST;
        fits.then_some(signed)
    }

    /// The document.
    pub(super) fn text(&self) -> String {
        let mut text = self.claim.clone();
        for (name, signature) in &self.signatures {
            text.push_str(&format!("{WORD}{name} {}\n", STANDARD.encode(signature)));
        }
        text
    }

    /// Signs the claim.
    pub(super) fn sign(&mut self, key: &SecretKey) {
        let signature = key.sign(self.claim.as_bytes());
        let name = key.public().name().to_owned();
        self.signatures.insert(name, signature);
    }

    /// Has the document be another one, and say the same.
    pub(super) fn alter(&mut self, salt: [u8; 8]) {
        self.signatures.insert(NOBODY.to_owned(), salt.to_vec());
    }

    /// Whether one of these keys signed.
    pub(super) fn verdict(&self, trusted: &[PublicKey]) -> Verdict {
        let mut verdict = Verdict::Untrusted;
        for key in trusted {
            let Some(signature) = self.signatures.get(key.name()) else {
                continue;
            };
            if key.verify(self.claim.as_bytes(), signature) {
                return Verdict::Trusted;
            }
            verdict = Verdict::Forged;
        }
        verdict
    }

    /// The names of those who are said to have signed.
    pub(super) fn names(&self) -> String {
        let names = self.signatures.keys().map(String::as_str);
        let names: Vec<&str> = names.filter(|name| *name != NOBODY).collect();
        if names.is_empty() {
            return "nobody".to_owned();
        }
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signed_is_known() {
        let keys = ["a", "b", "c"].map(|name| SecretKey::generate(name).unwrap());
        let public = |index: usize| keys[index].public().clone();
        let mut signed = Signed::new("first 1\nsecond 2\n".into());
        assert_eq!(signed.verdict(&[public(0)]), Verdict::Untrusted);
        signed.sign(&keys[0]);
        signed.sign(&keys[1]);
        let back = Signed::parse(signed.text().as_bytes()).unwrap();
        assert_eq!(back, signed);
        assert_eq!(back.names(), "a, b");
        assert_eq!(back.verdict(&[public(2)]), Verdict::Untrusted);
        assert_eq!(back.verdict(&[public(2), public(1)]), Verdict::Trusted);
        let mut altered = back.clone();
        altered.alter([7; 8]);
        assert_ne!(altered.text(), back.text());
        let altered = Signed::parse(altered.text().as_bytes()).unwrap();
        assert_eq!(altered.names(), "a, b");
        assert_eq!(altered.verdict(&[public(1)]), Verdict::Trusted);
        // Another claim below the same signatures, another key of the same name.
        let text = signed.text().replace("second 2", "second 3");
        let forged = Signed::parse(text.as_bytes()).unwrap();
        assert_eq!(forged.verdict(&[public(0)]), Verdict::Forged);
        let other = SecretKey::generate("a").unwrap();
        let other = other.public().clone();
        assert_eq!(
            signed.verdict(std::slice::from_ref(&other)),
            Verdict::Forged
        );
        assert_eq!(signed.verdict(&[other, public(1)]), Verdict::Trusted);
    }

    #[test]
    fn other_documents_are_none() {
        for text in [
            "",
            "a",
            "a\nsignature x\n",
            "a\nsignature x ?\n",
            "a\nsignature x AA==\nb\n",
        ] {
            assert_eq!(Signed::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(
            Signed::parse(b"a\nsignature x AA==\n").unwrap().claim,
            "a\n"
        );
        assert_eq!(Signed::parse(&[0xff, b'\n']), None);
    }
}
