//! One step: found, or made and recorded.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use racker_store::{LogWriter, Realisation, Tree, TreeId};

use super::bake::Options;
use super::check::Unequal;
use super::metadata::Keeper;
use super::{Error, Event, Workshop, bootstrap, files, last_log, packages, run};
use crate::files::lock_or_wait;
use crate::plan::lock::Lock;
use crate::plan::{Action, KeyContext, KeyDocument, PlannedStep, key};
use crate::provision::normalise::{self, After};
use crate::recipe::Step as RecipeStep;

/// A step to realise and what it works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) shop: Workshop<'a>,
    pub(super) planned: &'a PlannedStep,
    pub(super) platform: &'a str,
    pub(super) total: usize,
    pub(super) options: &'a Options,
    pub(super) keeper: &'a Keeper,
}

/// A tree that a step made, not yet in the store.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) tree: Tree,
    pub(super) log: Option<String>,
}

/// What realising a step comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) realisation: Realisation,
    /// Whether it was made just now.
    pub(super) made: bool,
    /// What came out when it was made again, if that was asked for and was something else.
    pub(super) unequal: Option<Unequal>,
}

/// What is known of the tree a step starts from.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) id: TreeId,
    pub(super) tree: Tree,
}

impl Step<'_> {
    /// The step's result: from an earlier realisation of the same key, here or in a shared cache, else
    /// made now. Entries that the lock lacks are added to it.
    pub(super) fn realise(&self, parent: TreeId, lock: &mut Lock) -> Result<Outcome, Error> {
        self.pin(parent, lock)?;
        let mut document = self.document(parent, lock)?;
        let mut known = self.found(&document)?;
        if known.is_some() {
            self.tell_cached();
        }
        if let Some(realisation) = known.take_if(|_| !self.options.check) {
            return Ok(Outcome {
                realisation,
                made: false,
                unequal: None,
            });
        }
        let parent = Parent {
            id: parent,
            tree: self.shop.store.tree(parent)?,
        };
        if known.is_none() {
            known = self.shared(&parent, &document)?;
        }
        if known.is_none()
            && (packages::renew(self, &parent, lock)? || bootstrap::renew(self, lock)?)
        {
            document = self.document(parent.id, lock)?;
            known = self.shared(&parent, &document)?;
        }
        // Whoever else makes this step has it done when the lock is free.
        let _turn = self.take_turn(&document)?;
        if known.is_none() {
            known = self.found(&document)?;
            if known.is_some() {
                self.tell_cached();
            }
        }
        let made = known.is_none();
        let realisation = match known {
            Some(known) => known,
            None => self.make_and_record(&parent, &document, lock)?,
        };
        let unequal = if self.options.check {
            self.check(&realisation, &document, &parent, lock)?
        } else {
            None
        };
        Ok(Outcome {
            realisation,
            made,
            unequal,
        })
    }

    fn make_and_record(
        &self,
        parent: &Parent,
        document: &KeyDocument,
        lock: &Lock,
    ) -> Result<Realisation, Error> {
        self.tell(|id, place, total, summary| Event::StepStarted {
            id,
            place,
            total,
            summary,
        });
        let start = Instant::now();
        let result = self.make(parent, lock).and_then(|made| {
            let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.timed("storing", || {
                self.record(parent, document, made, milliseconds)
            })
        });
        match &result {
            Ok(made) => self.tell(|id, place, total, summary| Event::StepDone {
                id,
                place,
                total,
                summary,
                milliseconds: made.milliseconds,
            }),
            Err(_) => self.shop.reporter.event(Event::StepFailed {
                id: &self.planned.id,
            }),
        }
        result
    }

    pub(super) fn tell_cached(&self) {
        self.tell(|id, place, total, summary| Event::StepCached {
            id,
            place,
            total,
            summary,
        });
    }

    /// Completes the lock for the step, which is not made.
    pub(super) fn complete(&self, parent: TreeId, lock: &mut Lock) -> Result<(), Error> {
        self.pin(parent, lock)?;
        let parent = Parent {
            id: parent,
            tree: self.shop.store.tree(parent)?,
        };
        packages::renew(self, &parent, lock).map(drop)
    }

    /// Completes the lock as far as the key needs it.
    fn pin(&self, parent: TreeId, lock: &mut Lock) -> Result<(), Error> {
        match &self.planned.action {
            Action::Bootstrap(_) => bootstrap::pin(self, lock),
            Action::Step(RecipeStep::Packages(_)) => packages::pin(self, parent, lock),
            Action::Step(RecipeStep::Fetch(fetch)) => files::pin(self, fetch, lock),
            Action::Step(_) => Ok(()),
        }
    }

    /// The source-date-epoch, in seconds since 1970.
    pub(super) fn epoch(&self, lock: &Lock) -> i64 {
        lock.epoch_of(&self.planned.dated, self.platform)
    }

    /// After which time the step's files are said to be of that time, if any.
    pub(super) fn clamp(&self, lock: &Lock) -> Option<i64> {
        let on = !switched_off(self.planned).contains("mtime-clamp");
        on.then(|| self.epoch(lock))
    }

    /// Everything that goes into the step.
    fn document(&self, parent: TreeId, lock: &Lock) -> Result<KeyDocument, Error> {
        let context = KeyContext {
            lock,
            platform: self.platform,
            rules: &rules(self.planned),
        };
        Ok(key(self.planned, parent, context)?)
    }

    pub(super) fn found(&self, document: &KeyDocument) -> Result<Option<Realisation>, Error> {
        if self.options.no_cache {
            return Ok(None);
        }
        let store = self.shop.store;
        let all = store.realisations(document.key())?;
        for realisation in all {
            if store.use_again(&realisation)? {
                return Ok(Some(realisation));
            }
        }
        Ok(None)
    }

    pub(super) fn tell<'s>(
        &'s self,
        event: impl FnOnce(&'s str, usize, usize, &'s str) -> Event<'s>,
    ) {
        let planned = self.planned;
        let event = event(&planned.id, planned.number, self.total, &planned.summary);
        self.shop.reporter.event(event);
    }

    pub(super) fn take_turn(&self, document: &KeyDocument) -> Result<File, Error> {
        let path = self.shop.store.locks().join(document.key().to_string());
        let open = || -> std::io::Result<File> {
            loop {
                let file = File::options()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)?;
                lock_or_wait(&file, || {
                    let text = format!("{}: waiting for whoever makes this step", self.planned.id);
                    self.shop.reporter.event(Event::Message(&text));
                })?;
                // The collector may have taken it away before it was locked.
                if file.metadata()?.nlink() > 0 {
                    return Ok(file);
                }
            }
        };
        open().map_err(Error::io(format!("lock {}", path.display())))
    }

    pub(super) fn make(&self, parent: &Parent, lock: &Lock) -> Result<Made, Error> {
        match &self.planned.action {
            Action::Bootstrap(bootstrap) => bootstrap::make(self, bootstrap, parent, lock),
            Action::Step(RecipeStep::Packages(packages)) => {
                packages::make(self, packages, parent, lock)
            }
            Action::Step(RecipeStep::Run(script)) => run::script(self, script, parent, lock),
            Action::Step(RecipeStep::Units(units)) => run::units(self, units, parent, lock),
            Action::Step(RecipeStep::Copy(copy)) => files::copy(self, copy, parent, lock),
            Action::Step(RecipeStep::Fetch(fetch)) => files::fetch(self, fetch, parent, lock),
        }
    }

    /// Applies the normaliser's rules to what the step made of `base`.
    pub(super) fn normalise(
        &self,
        base: &Tree,
        tree: &mut Tree,
        after: After,
        lock: &Lock,
    ) -> Result<(), Error> {
        let disabled = switched_off(self.planned);
        let epoch = self.epoch(lock);
        normalise::normalise(base, tree, after, epoch, &disabled, self.shop.store)
            .map(drop)
            .map_err(|error| self.provision(error))
    }

    /// Keeps a result for good, and puts it on record.
    pub(super) fn record(
        &self,
        parent: &Parent,
        document: &KeyDocument,
        made: Made,
        milliseconds: u64,
    ) -> Result<Realisation, Error> {
        let store = self.shop.store;
        let keep = || self.keep(parent, document, made, milliseconds);
        let realisation = store.sync_beside(keep)??;
        store.record(&realisation)?;
        Ok(realisation)
    }

    /// Keeps a result; what is to go on record of it, once everything is durable.
    pub(super) fn keep(
        &self,
        parent: &Parent,
        document: &KeyDocument,
        made: Made,
        milliseconds: u64,
    ) -> Result<Realisation, Error> {
        let store = self.shop.store;
        let (tree, layer) = store.put_successor(parent.id, &parent.tree, &made.tree)?;
        store.put_base(tree, Some(parent.id), layer)?;
        Ok(Realisation {
            key: document.key(),
            document: document.to_value(),
            recipe: self.planned.recipe.clone(),
            place: self.planned.place,
            step: self.planned.summary.clone(),
            parent: Some(parent.id),
            tree,
            layer: Some(layer),
            built: now(),
            milliseconds,
            log: made.log,
        })
    }

    /// Does a part of the step and tells who wants to know more how long it took.
    pub(super) fn timed<T>(&self, part: &str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let (id, seconds) = (&self.planned.id, start.elapsed().as_secs_f64());
        let line = format!("{id}: {part} took {seconds:.2} s");
        self.shop.reporter.event(Event::Detail(&line));
        result
    }

    /// A new log for this step, which is its last one from now on.
    pub(super) fn log(&self) -> Result<LogWriter, Error> {
        let log = self.shop.store.create_log()?;
        self.note_log(&log)?;
        Ok(log)
    }

    /// Has `racker log` show this log.
    pub(super) fn note_log(&self, log: &LogWriter) -> Result<(), Error> {
        let (recipe, place) = (&self.planned.recipe, self.planned.place);
        last_log::note(self.shop.store, recipe, place, log.id())
    }

    /// Names the step in an error.
    pub(super) fn provision(&self, source: crate::provision::Error) -> Error {
        Error::Provision {
            id: self.planned.id.clone(),
            source: Box::new(source),
        }
    }
}

/// Rules of the normaliser that the step's recipe switches off.
pub(super) fn switched_off(planned: &PlannedStep) -> BTreeSet<String> {
    planned.switched_off.iter().cloned().collect()
}

/// Which kind of step it is to the normaliser. Steps that copy files in need no rule: all of what
/// they put there is what the recipe says.
pub(super) fn after(planned: &PlannedStep) -> Option<After> {
    match &planned.action {
        Action::Bootstrap(_) => Some(After::Bootstrap),
        Action::Step(RecipeStep::Packages(_)) => Some(After::Packages),
        Action::Step(RecipeStep::Run(_) | RecipeStep::Units(_)) => Some(After::Run),
        Action::Step(RecipeStep::Copy(_) | RecipeStep::Fetch(_)) => None,
    }
}

/// Rules of the normaliser that are applied to what the step makes, with their versions.
pub(super) fn rules(planned: &PlannedStep) -> Vec<String> {
    let disabled = switched_off(planned);
    after(planned).map_or_else(Vec::new, |after| normalise::key(after, &disabled))
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
