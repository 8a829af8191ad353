//! How a container is connected: its network, published ports, names.

use serde_json::Value;

use super::config::wrong;
use super::options::{Options, ports};
use crate::container::network::{DEFAULT, Networks};
use crate::failure::Failure;
use crate::lifecycle::Yard;
use crate::lifecycle::config::{HOST_GATEWAY, NetworkMode, PASTA_NETWORK, Port};
use crate::realise::Workshop;

pub(super) fn network(shop: Workshop<'_>, text: &str) -> Result<NetworkMode, Failure> {
    Ok(match text {
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        "private" | "bridge" | "default" => NetworkMode::Named(DEFAULT.into()),
        PASTA_NETWORK => NetworkMode::Pasta,
        text if text.starts_with("pasta:") => {
            return Err(wrong("racker hands no options to pasta").hint("--network=pasta"));
        }
        text => match text.strip_prefix("container:") {
            Some(name) => {
                let other = Yard::of(shop.store).find(name)?;
                other.running()?;
                NetworkMode::Container(other.config.id)
            }
            None => {
                let known = Networks::lock()?.find(text)?;
                if known.is_none() {
                    return Err(wrong(format!("network {text} not found"))
                        .hint(format!("racker network create {text}")));
                }
                NetworkMode::Named(text.to_owned())
            }
        },
    })
}

/// Published ports.
pub(super) fn published(options: &Options, config: &Value) -> Result<Vec<Port>, String> {
    let mut all = ports(&options.publish)?;
    if options.publish_all {
        let exposed = config["ExposedPorts"].as_object();
        let exposed = exposed.into_iter().flatten().map(|(port, _)| port.clone());
        let more: Vec<String> = exposed.chain(options.expose.iter().cloned()).collect();
        for port in ports(&more)? {
            if !all
                .iter()
                .any(|it| it.container == port.container && it.protocol == port.protocol)
            {
                all.push(port);
            }
        }
    }
    let by_itself = matches!(options.network.as_str(), "none" | "host");
    if !all.is_empty() && options.network.starts_with("container:") {
        return Err(
            "conflicting options: port publishing and the container type network mode".into(),
        );
    }
    if !all.is_empty() && by_itself && options.network == "host" {
        // Its ports are the host's already.
        all.clear();
    }
    Ok(all)
}

/// Lines of `/etc/hosts` that are asked for: name and address.
pub(super) fn own_hosts(options: &Options) -> Result<Vec<(String, String)>, String> {
    let gateway = options.network != "none" && !options.network.starts_with("container:");
    let entry = |text: &String| {
        let (name, address) = text
            .split_once('=')
            .or_else(|| text.split_once(':'))
            .ok_or_else(|| format!("bad format for --add-host: {text:?}"))?;
        let address = address.trim_matches(['[', ']']);
        let address = match address {
            HOST_GATEWAY if gateway => HOST_GATEWAY,
            HOST_GATEWAY => {
                return Err(format!(
                    "with --network={} there is no {HOST_GATEWAY}",
                    options.network
                ));
            }
            address if address.parse::<std::net::IpAddr>().is_ok() => address,
            _ => return Err(format!("invalid address in --add-host: {address:?}")),
        };
        Ok((name.to_owned(), address.to_owned()))
    };
    options.add_host.iter().map(entry).collect()
}
