//! What realising tells about itself.

use crate::oci::Progress;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step is being made.
    StepStarted {
        /// Its id.
        id: &'a str,
        /// Its place in the plan, from one.
        place: usize,
        /// How many steps the plan has.
        total: usize,
        /// What it does.
        summary: &'a str,
    },
    /// A step was made before.
    StepCached {
        /// Its id.
        id: &'a str,
        /// Its place in the plan, from one.
        place: usize,
        /// How many steps the plan has.
        total: usize,
        /// What it does.
        summary: &'a str,
    },
    /// A step was made elsewhere.
    StepFound {
        /// Its id.
        id: &'a str,
        /// Its place in the plan, from one.
        place: usize,
        /// How many steps the plan has.
        total: usize,
        /// What it does.
        summary: &'a str,
        /// The shared cache that has it.
        cache: &'a str,
    },
    /// A step is made.
    StepDone {
        /// Its id.
        id: &'a str,
        /// Its place in the plan, from one.
        place: usize,
        /// How many steps the plan has.
        total: usize,
        /// What it does.
        summary: &'a str,
        /// How long it took.
        milliseconds: u64,
    },
    /// A step failed.
    StepFailed {
        /// Its id.
        id: &'a str,
    },
    /// Something worth a line.
    Message(&'a str),
    /// Something worth a line to who wants to know more.
    Detail(&'a str),
}

/// Receives what happens, from several threads.
pub trait Reporter: Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);

    /// Who is told of transfers.
    fn progress(&self) -> &dyn Progress;
}
