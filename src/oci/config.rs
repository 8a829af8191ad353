//! The image configuration: kept as the document that it is, read for what assembling needs.

use racker_store::Digest;
use serde::Deserialize;
use serde_json::Value;

use super::error::{Error, Result};
use super::platform::Platform;

/// An image configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The whole document.
    pub document: Value,
    /// Its bytes, where it came as such.
    pub bytes: Option<Vec<u8>>,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// What made each layer, where the history fits the layers.
    pub created_by: Vec<String>,
    /// What the image is for, if it says so.
    pub platform: Option<Platform>,
    /// When it was made, in Unix seconds.
    pub created: Option<i64>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    rootfs: Rootfs,
    #[serde(default)]
    history: Option<Vec<History>>,
}

#[derive(Deserialize)]
struct Rootfs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}

impl Config {
    /// Reads a configuration that must describe `layers` layers.
    pub(crate) fn parse(bytes: &[u8], layers: usize, what: &str) -> Result<Self> {
        let refused = |reason: String| Error::refused(what, reason);
        let malformed =
            |error: serde_json::Error| refused(format!("its configuration is malformed: {error}"));
        let document: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let fields = Fields::deserialize(&document).map_err(malformed)?;
        let diff_ids = fields.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.len() != layers {
            let named = diff_ids.len();
            return Err(refused(format!(
                "its configuration names {named} layers and its manifest {layers}"
            )));
        }
        let diff_ids = diff_ids
            .iter()
            .map(|text| {
                text.parse()
                    .map_err(|_| refused(format!("bad diff id `{text}`")))
            })
            .collect::<Result<Vec<Digest>>>()?;
        let history = fields.history.unwrap_or_default().into_iter();
        let mut created_by: Vec<String> = history
            .filter(|entry| !entry.empty_layer)
            .map(|entry| entry.created_by.unwrap_or_default())
            .collect();
        if created_by.len() != layers {
            created_by = vec![String::new(); layers];
        }
        let platform = match (fields.os, fields.architecture) {
            (Some(os), Some(architecture)) if !os.is_empty() && !architecture.is_empty() => {
                Some(Platform::new(&os, &architecture, fields.variant.as_deref()))
            }
            _ => None,
        };
        let created = created(&document);
        Ok(Self {
            document,
            bytes: Some(bytes.to_vec()),
            diff_ids,
            created_by,
            platform,
            created,
        })
    }

    /// The configuration of a bare root filesystem.
    pub(crate) fn bare(platform: &Platform, diff_id: Digest, created_by: &str) -> Self {
        let mut document = serde_json::json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
            "history": [{ "created_by": created_by }],
        });
        if let Some(variant) = &platform.variant {
            document["variant"] = Value::from(variant.as_str());
        }
        Self {
            document,
            bytes: None,
            diff_ids: vec![diff_id],
            created_by: vec![created_by.to_owned()],
            platform: Some(platform.clone()),
            created: None,
        }
    }
}

/// Whether these bytes are an image configuration that would be taken, with any number of layers.
pub fn check_config(bytes: &[u8]) -> Result<()> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let layers = document["rootfs"]["diff_ids"].as_array();
    Config::parse(bytes, layers.map_or(0, Vec::len), "the configuration").map(drop)
}

/// When a configuration document says its image was made, in Unix seconds. Source: OCI
/// image-spec, config.md, `created` (RFC 3339).
pub fn created(document: &Value) -> Option<i64> {
    let time: jiff::Timestamp = document.get("created")?.as_str()?.parse().ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_times() {
        let created = |text| created(&serde_json::json!({ "created": text }));
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-10-11T22:37:26.123456789+02:00", 1_697_056_646),
            ("1969-12-31T23:00:00-01:00", 0),
        ] {
            assert_eq!(created(text), Some(seconds), "{text}");
        }
        for bad in ["", "2023", "2023-13-01T00:00:00Z", "2023-10-11T22:37:26"] {
            assert_eq!(created(bad), None, "{bad}");
        }
    }

    #[test]
    fn history_goes_with_layers() {
        let text = format!(
            r#"{{"os":"linux","architecture":"arm64","variant":"v8","rootfs":{{"diff_ids":["{ID}"]}},
            "history":[{{"created_by":"ADD"}},{{"created_by":"CMD","empty_layer":true}}]}}"#
        );
        let config = Config::parse(text.as_bytes(), 1, "x").unwrap();
        assert_eq!(config.created_by, ["ADD"]);
        assert_eq!(config.platform.unwrap().to_string(), "linux/arm64");
        assert!(Config::parse(text.as_bytes(), 2, "x").is_err());
        assert!(Config::parse(b"{}", 0, "x").is_err());
        assert!(Config::parse(br#"{"rootfs":{"diff_ids":["md5:1"]}}"#, 1, "x").is_err());
        let empty =
            Config::parse(br#"{"rootfs":{"diff_ids":null},"history":null}"#, 0, "x").unwrap();
        assert!(empty.diff_ids.is_empty() && empty.platform.is_none());
    }
}
