//! Identifiers: 32 bytes each, a type of its own for everything that is named by a digest.
//!
//! [`ObjectId`], [`TreeId`], [`LayerId`] and [`StepKey`] are BLAKE3 and are written as 64
//! lower-case hexadecimal digits. [`Digest`] is SHA-256, the digest of the world outside, and is
//! written with its algorithm in front, `sha256:<hex>`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hex;

/// Text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Makes the identifier out of the digest's bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Bytes of the digest.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The 64 hexadecimal digits alone.
            pub fn hex(&self) -> String {
                hex::encode(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($prefix, "{}"), self.hex()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.hex())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .and_then(|digits| hex::decode(digits.as_bytes()))
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: text.into(), expected: $expected })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id_type!(
    /// Names the bytes of one file body.
    ObjectId,
    "",
    "an object id of 64 hexadecimal digits"
);
id_type!(
    /// Names a tree by its canonical manifest.
    TreeId,
    "",
    "a tree id of 64 hexadecimal digits"
);
id_type!(
    /// Names the difference between two trees by its canonical manifest.
    LayerId,
    "",
    "a layer id of 64 hexadecimal digits"
);
id_type!(
    /// Names everything that goes into a step.
    StepKey,
    "",
    "a step key of 64 hexadecimal digits"
);
id_type!(
    /// SHA-256 of bytes that are known outside the store: archives, blobs, OCI manifests.
    Digest,
    "sha256:",
    "a digest of the form sha256:<64 hexadecimal digits>"
);

impl ObjectId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}
