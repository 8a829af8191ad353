//! How a container is found to be well.

use std::time::Duration;

use serde_json::Value;

use super::command::strings;
use super::options::Options;
use crate::lifecycle::health::Health;

/// How it is found to be well: as the options say, else as the image does. Source: docker's image
/// specification, `Healthcheck`; times are in nanoseconds.
pub(super) fn health(options: &Options, image: &Value) -> Option<Health> {
    if options.no_healthcheck {
        return None;
    }
    let shell = |text: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()];
    let test = match &options.health_cmd {
        Some(text) if text == "none" => return None,
        Some(text) => shell(text),
        None => {
            let test = strings(&image["Test"]);
            match test.first().map(String::as_str) {
                Some("CMD-SHELL") => shell(test.get(1)?),
                Some("CMD") => test[1..].to_vec(),
                _ => return None,
            }
        }
    };
    let time = |given: Option<Duration>, key: &str, usual: u64| {
        let nanoseconds = image[key].as_u64().filter(|it| *it > 0);
        given
            .or(nanoseconds.map(Duration::from_nanos))
            .unwrap_or(Duration::from_secs(usual))
    };
    Some(Health {
        test,
        interval: time(options.health_interval, "Interval", 30),
        timeout: time(options.health_timeout, "Timeout", 30),
        start_period: time(options.health_start_period, "StartPeriod", 0),
        retries: options
            .health_retries
            .or(image["Retries"].as_u64().map(|it| it as u32))
            .filter(|it| *it > 0)
            .unwrap_or(3),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::line::parse;
    use super::*;

    #[test]
    fn health_comes_from_options_or_image() {
        let image = json!({ "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000u64 });
        let found = health(&parse(&["--health-retries", "2"]).options, &image).unwrap();
        assert_eq!(found.test, ["/bin/sh", "-c", "true"]);
        assert_eq!((found.interval, found.retries), (Duration::from_secs(5), 2));
        assert!(health(&parse(&["--no-healthcheck"]).options, &image).is_none());
        let found = health(&parse(&["--health-cmd", "false"]).options, &json!(null)).unwrap();
        assert_eq!(found.test[2], "false");
    }
}
