//! A cache of what steps led to, shared by machines: repositories of OCI registries.
//!
//! ```text
//! step-<key>            what a step led to                                     step, put
//!   statement           key, parent, tree, layer, and who signed that          claim, signed, key
//!   layer               what changes of the parent's tree
//!   packs               the bytes of files                                     pack
//!   log                 what it wrote, and who signed that                     log
//! base-<digest>         which image of the cache stands for one from elsewhere base
//! base-<digest>-image   that image, an ordinary one
//! files-<key>           the package files that a step installed                files
//! ```
//!
//! Each is an artifact under a tag, so that copying a repository's tags copies the cache.
//!
//! Nothing is believed: a statement counts if a key signed it that is trusted here; the layer has the
//! digest that the statement names, leads from the very parent to the very tree, and each body is what
//! its name says before it has that name in the store. What is not right is left alone with a warning,
//! and the step is made. So is everything where a registry does not answer: it is asked no more then.

mod base;
mod claim;
mod files;
mod key;
mod log;
mod pack;
mod place;
mod put;
mod send;
mod signed;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use racker_store::StepKey;

pub use key::{KeyError, PublicKey, SecretKey};
pub use step::{Found, Peeked, Wanted};

use self::place::Place;
use self::signed::{Signed, Verdict};
use crate::oci::{Artifact, Client, Error, Progress, Reference, Registries, Result, read_blob};

/// Media types of the parts of artifacts.
const STATEMENT: &str = "application/vnd.racker.statement.v1";
/// Bytes of a statement.
const STATEMENT_MAX: u64 = 64 << 10;

/// Which registries are asked, and who is believed.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where results are looked for, in this order.
    pub read: Vec<Reference>,
    /// Where results are put.
    pub push: Option<Reference>,
    /// Whose results are taken.
    pub trusted: Vec<PublicKey>,
}

/// The shared caches of one racker.
pub struct Cache<'a> {
    sources: Vec<Place<'a>>,
    target: Option<(Place<'a>, SecretKey)>,
    trusted: Vec<PublicKey>,
    /// Whether a place is of use, by its name, and to write or to read.
    known: Mutex<BTreeMap<(String, bool), bool>>,
    /// What was there and could not be used, by the name of the place.
    useless: Mutex<BTreeSet<(String, StepKey)>>,
}

impl fmt::Debug for Cache<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("sources", &self.sources.len())
            .field("target", &self.target.is_some())
            .finish_non_exhaustive()
    }
}

/// Why something is not taken from a place.
enum Trouble {
    /// It is not what it should be.
    Wrong(String),
    /// It could not be had.
    Failed(Error),
}

impl Trouble {
    /// Whether it has to do with what was asked for, and not with the place or the store.
    fn is_particular(&self) -> bool {
        match self {
            Self::Wrong(_) => true,
            Self::Failed(error) => !is_lasting(error) && !matches!(error, Error::Store { .. }),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Cache<'a> {
    /// The caches of `settings`, asked by `client`, which has little patience and tries nothing
    /// twice. With a `signer` results are put where the settings say. Asks nobody yet; what cannot
    /// be asked, by the configuration of registries, is told and left out.
    pub fn open(
        settings: &Settings,
        signer: Option<SecretKey>,
        client: &'a Client,
        registries: &Registries,
        progress: &dyn Progress,
    ) -> Self {
        let told = |place: &Reference, opened: Result<Place<'a>>| {
            let tell = |error: &Error| progress.message(&unusable(&place.name(), error));
            opened.inspect_err(tell).ok()
        };
        let sources = settings.read.iter();
        let sources = sources.filter_map(|it| told(it, Place::to_read(it, client, registries)));
        let target = settings.push.as_ref().zip(signer).and_then(|(it, key)| {
            let place = told(it, Place::to_write(it, client, registries))?;
            Some((place, key))
        });
        Self {
            sources: sources.collect(),
            target,
            trusted: settings.trusted.clone(),
            known: Mutex::default(),
            useless: Mutex::default(),
        }
    }

    /// No cache at all.
    pub fn none() -> Self {
        Self {
            sources: Vec::new(),
            target: None,
            trusted: Vec::new(),
            known: Mutex::default(),
            useless: Mutex::default(),
        }
    }

    /// Whether anybody is asked for results.
    pub fn reads(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Where results are put, if anywhere.
    pub fn target(&self) -> Option<&str> {
        self.target.as_ref().map(|(place, _)| &*place.name)
    }

    /// Asks one place after the other; the first that has it, and its name. An error is one of the
    /// store: those of places are told, and the next one is asked.
    fn first<T>(
        &self,
        what: &str,
        progress: &dyn Progress,
        ask: impl Fn(&Place<'a>) -> Result<Option<T>, Trouble>,
    ) -> Result<Option<(T, &str)>> {
        for place in &self.sources {
            if !self.answers(place, progress) {
                continue;
            }
            match ask(place) {
                Ok(Some(found)) => return Ok(Some((found, &place.name))),
                Ok(None) => {}
                Err(Trouble::Failed(error @ Error::Store { .. })) => return Err(error),
                Err(trouble) => self.tell(place, what, trouble, progress),
            }
        }
        Ok(None)
    }

    /// Does something with the place where results are put; nothing where there is none, or it failed.
    fn with_target<T>(
        &self,
        what: &str,
        progress: &dyn Progress,
        work: impl FnOnce(&Place<'a>, &SecretKey) -> Result<T, Trouble>,
    ) -> Option<T> {
        let (place, key) = self.target.as_ref()?;
        if !self.answers(place, progress) {
            return None;
        }
        let result = work(place, key);
        result
            .map_err(|trouble| self.tell(place, what, trouble, progress))
            .ok()
    }

    /// Whether a place is of use, as far as is known; its registry is asked once whether it is there.
    fn answers(&self, place: &Place<'_>, progress: &dyn Progress) -> bool {
        let mut known = self.known();
        if let Some(answers) = known.get(&place.key()) {
            return *answers;
        }
        let other = known.get(&(place.name.clone(), !place.writes));
        let answers = match other {
            Some(true) => true,
            _ => match place.probe() {
                Ok(()) => true,
                Err(error) => {
                    progress.message(&unusable(&place.name, &error));
                    known.insert((place.name.clone(), !place.writes), false);
                    false
                }
            },
        };
        known.insert(place.key(), answers);
        answers
    }

    /// Says what was wrong; a place that is of no use is asked no more.
    fn tell(&self, place: &Place<'_>, what: &str, trouble: Trouble, progress: &dyn Progress) {
        let reason = match trouble {
            Trouble::Failed(error) if is_lasting(&error) => {
                let mut known = self.known();
                if matches!(error, Error::Unreachable { .. }) {
                    known.insert((place.name.clone(), !place.writes), false);
                }
                if known.insert(place.key(), false) != Some(false) {
                    progress.message(&unusable(&place.name, &error));
                }
                return;
            }
            Trouble::Failed(error) => error.to_string(),
            Trouble::Wrong(reason) => reason,
        };
        let verb = if place.writes {
            "put into"
        } else {
            "taken from"
        };
        progress.message(&format!(
            "warning: {what} is not {verb} the cache {}: {reason}",
            place.name
        ));
    }

    fn useless(&self) -> MutexGuard<'_, BTreeSet<(String, StepKey)>> {
        self.useless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, bool), bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statement of an artifact, if somebody signed it who is trusted.
    fn statement(&self, place: &Place<'_>, artifact: &Artifact) -> Result<Signed, Trouble> {
        let signed = read_statement(place, artifact)?;
        match signed.verdict(&self.trusted) {
            Verdict::Trusted => Ok(signed),
            Verdict::Forged => Err(Trouble::Wrong("its signature is forged".into())),
            Verdict::Untrusted if self.trusted.is_empty() => Err(Trouble::Wrong(format!(
                "no key is trusted here (trusted-keys); it is signed by {}",
                signed.names()
            ))),
            Verdict::Untrusted => Err(Trouble::Wrong(format!(
                "it is signed by nobody who is trusted, but by {}",
                signed.names()
            ))),
        }
    }
}

fn read_statement(place: &Place<'_>, artifact: &Artifact) -> Result<Signed, Trouble> {
    let wrong = || Trouble::Wrong("it has no statement".into());
    let part = artifact.all(STATEMENT).next().ok_or_else(wrong)?;
    let mut stream = place.repository.blob(&part.blob);
    let bytes = read_blob(&mut stream, &part.blob, "the statement", STATEMENT_MAX)?;
    Signed::parse(&bytes).ok_or_else(wrong)
}

fn unusable(place: &str, error: &Error) -> String {
    format!("warning: going on without the cache {place}: {error}")
}

/// Whether an error says that a place is of no use, whatever it is asked.
fn is_lasting(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable { .. }
            | Error::Unauthorised { .. }
            | Error::RateLimited { .. }
            | Error::Status { .. }
            | Error::Transfer { .. }
            | Error::Url { .. }
            | Error::Configuration { .. }
    )
}
