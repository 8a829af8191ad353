//! Keys that results are signed with: ed25519, each with a name.
//!
//! ```text
//! public  = name ":" base64(32 bytes)
//! secret  = name ":" base64(32 bytes of seed, 32 bytes of the public key)
//! ```
//!
//! The name says whose key it is; it is no part of what the signature proves.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SEED: usize = 32;
const PUBLIC: usize = 32;

/// Text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has not the form of a key.
    #[error("a key is NAME:BASE64")]
    Form,
    /// Its name cannot be one.
    #[error("the name of a key is made of letters, digits and `.`, `_`, `-`")]
    Name,
    /// Its bytes are no ed25519 key of this kind.
    #[error("it is no ed25519 key")]
    Bytes,
    /// There is a secret where everybody may look.
    #[error("it is a secret key; the public one is wanted here")]
    Secret,
    /// A public key cannot sign.
    #[error("it is a public key; signing takes the secret one")]
    Public,
}

/// What tells whether somebody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; PUBLIC],
}

/// What signs.
pub struct SecretKey {
    public: PublicKey,
    seed: [u8; SEED],
    pair: Ed25519KeyPair,
}

impl PublicKey {
    /// Whose it is said to be.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `signature` is this key's of `text`.
    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        key.verify(text, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, STANDARD.encode(self.bytes))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = split(text)?;
        match bytes.len() {
            PUBLIC => Ok(Self {
                name,
                bytes: bytes.try_into().map_err(|_| KeyError::Bytes)?,
            }),
            length if length == SEED + PUBLIC => Err(KeyError::Secret),
            _ => Err(KeyError::Bytes),
        }
    }
}

impl SecretKey {
    /// A new key of this name.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        check_name(name)?;
        let mut seed = [0; SEED];
        rand::fill(&mut seed).map_err(|_| KeyError::Bytes)?;
        Self::new(name.to_owned(), seed)
    }

    /// The key for everybody.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The text for the file that nobody else may read.
    pub fn reveal(&self) -> String {
        let bytes = [self.seed, self.public.bytes].concat();
        format!("{}:{}", self.public.name, STANDARD.encode(bytes))
    }

    /// The signature of `text`.
    pub(super) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }

    fn new(name: String, seed: [u8; SEED]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Bytes)?;
        let bytes = pair.public_key().as_ref().try_into();
        let bytes = bytes.map_err(|_| KeyError::Bytes)?;
        Ok(Self {
            public: PublicKey { name, bytes },
            seed,
            pair,
        })
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, ...)", self.public.name)
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, bytes) = split(text)?;
        if bytes.len() == PUBLIC {
            return Err(KeyError::Public);
        }
        let seed = bytes.first_chunk().ok_or(KeyError::Bytes)?;
        let key = Self::new(name, *seed)?;
        if bytes[SEED..] == key.public.bytes {
            Ok(key)
        } else {
            Err(KeyError::Bytes)
        }
    }
}

fn split(text: &str) -> Result<(String, Vec<u8>), KeyError> {
    let (name, code) = text.trim().split_once(':').ok_or(KeyError::Form)?;
    check_name(name)?;
    let bytes = STANDARD.decode(code).map_err(|_| KeyError::Form)?;
    Ok((name.to_owned(), bytes))
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty() && name.len() <= 100 && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(KeyError::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 2.
    fn vector() -> String {
        let hex = |text: &str| -> Vec<u8> {
            let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(digit).collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        format!("test:{}", STANDARD.encode([seed, public].concat()))
    }

    #[test]
    fn signs_as_the_standard_has_it() {
        let key: SecretKey = vector().parse().unwrap();
        let signature = key.sign(&[0x72]);
        assert_eq!(signature[..4], [0x92, 0xa0, 0x09, 0xa9]);
        assert_eq!(key.reveal(), vector());
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert!(public.verify(&[0x72], &signature));
        assert!(!public.verify(&[0x73], &signature));
        assert!(!public.verify(&[0x72], &signature[..63]));
    }

    #[test]
    fn new_keys_differ_and_come_back() {
        let (one, two) = (SecretKey::generate("a"), SecretKey::generate("a"));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one.reveal(), two.reveal());
        let back: SecretKey = format!("{}\n", one.reveal()).parse().unwrap();
        assert_eq!(back.public(), one.public());
        assert!(!two.public().verify(b"x", &one.sign(b"x")));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let public = SecretKey::generate("a").unwrap().public().to_string();
        let secret = vector();
        let of = |text: &str| text.parse::<PublicKey>().unwrap_err();
        assert_eq!(of(&secret), KeyError::Secret);
        assert_eq!(public.parse::<SecretKey>().unwrap_err(), KeyError::Public);
        assert_eq!(of("a"), KeyError::Form);
        assert_eq!(of("a:?"), KeyError::Form);
        assert_eq!(of("a b:AAAA"), KeyError::Name);
        assert_eq!(of("a:AAAA"), KeyError::Bytes);
        // Two halves that do not belong together.
        let halves = [&STANDARD.decode(&secret[5..]).unwrap()[..32], &[1; 32]].concat();
        let torn = format!("a:{}", STANDARD.encode(halves));
        assert_eq!(torn.parse::<SecretKey>().unwrap_err(), KeyError::Bytes);
        assert!(SecretKey::generate("").is_err());
    }
}
