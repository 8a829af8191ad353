//! `[image]`: what the image says about itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The part of an OCI image configuration that a recipe decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The default command.
    pub cmd: Option<Vec<String>>,
    /// What the command is given to.
    pub entrypoint: Option<Vec<String>>,
    /// Variables of the image alone, over those of `[env]`.
    pub env: BTreeMap<String, String>,
    /// Where the command starts.
    pub workdir: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Directories that hold data.
    pub volumes: Vec<String>,
    /// Ports that are listened on, as `80/tcp`.
    pub ports: Vec<String>,
}

impl ImageConfig {
    /// Lays a later recipe's configuration over this one.
    ///
    /// As everywhere in the field, a new entrypoint drops the command that was meant for the old.
    pub fn overlay(&mut self, later: &Self) {
        if later.entrypoint.is_some() {
            self.entrypoint.clone_from(&later.entrypoint);
            self.cmd = None;
        }
        if later.cmd.is_some() {
            self.cmd.clone_from(&later.cmd);
        }
        if later.workdir.is_some() {
            self.workdir.clone_from(&later.workdir);
        }
        if later.user.is_some() {
            self.user.clone_from(&later.user);
        }
        self.env.extend(later.env.clone());
        self.labels.extend(later.labels.clone());
        for (mine, theirs) in [
            (&mut self.volumes, &later.volumes),
            (&mut self.ports, &later.ports),
        ] {
            mine.extend(theirs.iter().cloned());
            mine.sort();
            mine.dedup();
        }
    }

    /// Lays this over the `config` object of the base image's OCI configuration.
    pub fn to_oci(&self, base: &Value) -> Value {
        let mut config = base.as_object().cloned().unwrap_or_default();
        if let Some(entrypoint) = &self.entrypoint {
            config.insert("Entrypoint".to_owned(), json!(entrypoint));
            config.remove("Cmd");
        }
        if let Some(cmd) = &self.cmd {
            config.insert("Cmd".to_owned(), json!(cmd));
        }
        if let Some(workdir) = &self.workdir {
            config.insert("WorkingDir".to_owned(), json!(workdir));
        }
        if let Some(user) = &self.user {
            config.insert("User".to_owned(), json!(user));
        }
        if !self.env.is_empty() {
            let env = merge_env(config.get("Env"), &self.env);
            config.insert("Env".to_owned(), env);
        }
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        extend(&mut config, "Labels", labels);
        extend(
            &mut config,
            "Volumes",
            self.volumes.iter().map(|path| (path.clone(), json!({}))),
        );
        extend(
            &mut config,
            "ExposedPorts",
            self.ports.iter().map(|port| (port.clone(), json!({}))),
        );
        Value::Object(config)
    }
}

/// Replaces variables in place and appends new ones.
fn merge_env(base: Option<&Value>, over: &BTreeMap<String, String>) -> Value {
    let base = base
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut env: Vec<String> = base
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    for (name, value) in over {
        let line = format!("{name}={value}");
        match env
            .iter_mut()
            .find(|entry| entry.split('=').next() == Some(name))
        {
            Some(entry) => *entry = line,
            None => env.push(line),
        }
    }
    json!(env)
}

fn extend(config: &mut Map<String, Value>, key: &str, with: impl Iterator<Item = (String, Value)>) {
    let mut object = config
        .get(key)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    object.extend(with);
    if !object.is_empty() {
        config.insert(key.to_owned(), Value::Object(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_over_the_base() {
        let mut image = ImageConfig {
            cmd: Some(vec!["old".to_owned()]),
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            ..ImageConfig::default()
        };
        let later = ImageConfig {
            entrypoint: Some(vec!["/entry".to_owned()]),
            ports: vec!["80/tcp".to_owned()],
            ..ImageConfig::default()
        };
        image.overlay(&later);
        let base = json!({"Env": ["PATH=/bin", "A=0"], "Cmd": ["bash"], "StopSignal": "SIGTERM"});
        assert_eq!(
            image.to_oci(&base),
            json!({
                "Entrypoint": ["/entry"], "Env": ["PATH=/bin", "A=1"], "StopSignal": "SIGTERM",
                "ExposedPorts": {"80/tcp": {}},
            })
        );
    }
}
