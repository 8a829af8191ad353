//! Claims: each looked at until it holds or its time is over.

use std::time::Instant;

use super::http::Question;
use super::observed::Observed;
use super::outcome::outcome;
use super::session::Session;
use super::view::View;
use super::{Evidence, Outcome, accounts, evidence, file, mounts, network, processes, sockets};
use crate::check::{Check, Claim, Kind};
use crate::container::{Error, Exit};

impl Session<'_> {
    /// Looks whether a claim holds. Files, ports and the like share one time: a guest in which
    /// nothing holds is known as fast as one in which one thing does not.
    pub(super) fn claim(&mut self, check: &Check, claim: &Claim) -> Result<Outcome, Error> {
        let begin = Instant::now();
        let seen = match claim.kind {
            Kind::Command => self.command(claim, begin)?,
            Kind::Http => self.http(claim, begin)?,
            Kind::Addr | Kind::Dns => {
                let time = claim.timeout().unwrap_or(self.plan.limits.network);
                self.until(claim, begin + time)?
            }
            _ => self.until(claim, self.states_until)?,
        };
        let (holds, message) = seen.verdict(claim);
        let evidence = if holds { Vec::new() } else { seen.evidence };
        Ok(outcome(check, holds, begin.elapsed(), message, evidence))
    }

    /// Looks again and again until the claim holds.
    fn until(&mut self, claim: &Claim, deadline: Instant) -> Result<Observed, Error> {
        let looked = network::until(deadline, || {
            let seen = self.look(claim, deadline);
            match seen {
                Ok(seen) if seen.verdict(claim).0 => Ok(Ok(seen)),
                Ok(seen) => Err(seen),
                Err(error) => Ok(Err(error)),
            }
        });
        match looked {
            Ok(result) => result,
            Err(seen) if claim.kind == Kind::Service => self.about_service(claim, seen),
            Err(seen) => Ok(seen),
        }
    }

    fn look(&mut self, claim: &Claim, deadline: Instant) -> Result<Observed, Error> {
        let view = self.view()?;
        let subject = claim.subject();
        Ok(match claim.kind {
            Kind::File => file::look(&view, claim),
            Kind::Group => accounts::group(&view, subject),
            Kind::User => accounts::user(&view, subject),
            Kind::Mount => mounts::look(&view, subject),
            Kind::Package => package(&view, subject),
            Kind::Port => sockets::look(&view, subject),
            Kind::Process => processes::look(&view, subject),
            Kind::Addr => network::addr(&view, claim, deadline).map_err(entering)?,
            Kind::Dns => network::dns(&view, claim, deadline).map_err(entering)?,
            Kind::Service => {
                drop(view);
                self.service(subject)?
            }
            Kind::Command | Kind::Http => Observed::default(),
        })
    }

    fn service(&mut self, name: &str) -> Result<Observed, Error> {
        // What `systemctl is-enabled` ends with 0 for. Source: systemctl(1).
        const ENABLED: [&str; 6] = [
            "enabled",
            "enabled-runtime",
            "static",
            "alias",
            "indirect",
            "generated",
        ];
        let state = self.guest.unit(&crate::check::unit_name(name))?;
        let enabled = ENABLED.contains(&state.file.as_str());
        let summary = match state.load.as_str() {
            "not-found" => "there is no such unit".to_owned(),
            _ => format!("{}, {}", state.described(), state.file),
        };
        let running = state.active == "active";
        Ok(Observed::new("running", running, summary).with("enabled", enabled))
    }

    fn about_service(&mut self, claim: &Claim, mut seen: Observed) -> Result<Observed, Error> {
        let unit = crate::check::unit_name(claim.subject());
        let state = self.guest.unit(&unit)?;
        seen.evidence = self.about_unit(&unit, &state);
        Ok(seen)
    }

    fn http(&mut self, claim: &Claim, begin: Instant) -> Result<Observed, Error> {
        let deadline = begin + claim.timeout().unwrap_or(self.plan.limits.network);
        let view = self.view()?;
        let refused = |summary: String| Observed {
            summary,
            ..Observed::default()
        };
        let question = match Question::new(&view, claim) {
            Ok(question) => question,
            Err(reason) => return Ok(refused(reason)),
        };
        let asked = network::inside(view.leader, || {
            let client = match question.client() {
                Ok(client) => client,
                Err(reason) => return refused(reason),
            };
            // An answer says more than that there was none in the little time that was left.
            let mut answered = None;
            let asked = network::until(deadline, || {
                let seen = question.ask(&client, deadline);
                if seen.verdict(claim).0 {
                    return Ok(seen);
                }
                if !seen.properties.is_empty() {
                    answered = Some(seen.clone());
                }
                Err(seen)
            });
            asked.unwrap_or_else(|seen| answered.unwrap_or(seen))
        });
        let mut seen = asked.map_err(entering)?;
        if seen.properties.is_empty() {
            seen.evidence.push(sockets::listening(&view));
        }
        Ok(seen)
    }

    fn command(&mut self, claim: &Claim, begin: Instant) -> Result<Observed, Error> {
        let time = claim.timeout().unwrap_or(self.plan.limits.unit);
        let name = self.name();
        let process = evidence::command(&["sh", "-c", claim.subject()]);
        let captured = self.guest.capture(&name, &process, begin + time)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut seen = match captured.exit {
            Some(Exit(code)) => {
                Observed::new("exit-status", code.to_string(), format!("ends with {code}"))
            }
            None => Observed {
                summary: format!("not done within {} s", time.as_secs_f64()),
                ..Observed::default()
            },
        }
        .with("stdout", text(&captured.output))
        .with("stderr", text(&captured.errors));
        for (title, bytes) in [("output", &captured.output), ("errors", &captured.errors)] {
            let mut lines = evidence::lines(bytes);
            lines.drain(..lines.len().saturating_sub(20));
            if !lines.is_empty() {
                seen.evidence.push(Evidence {
                    title: title.into(),
                    lines,
                });
            }
        }
        Ok(seen)
    }
}

/// Looks for a package.
fn package(view: &View<'_>, name: &str) -> Observed {
    let versions: Vec<String> = view
        .packages
        .iter()
        .filter(|it| it.name == name)
        .map(|it| it.version.clone())
        .collect();
    if versions.is_empty() {
        return Observed::new("installed", false, "is not installed");
    }
    let summary = format!("is installed, {}", versions.join(", "));
    Observed::new("installed", true, summary).with("versions", versions)
}

fn entering(error: std::io::Error) -> Error {
    Error::io("enter the container's network")(error)
}
