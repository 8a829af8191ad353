//! Taking out of a tree what differs between two equal runs.
//!
//! A [`Rule`] has a name, a version, and a reason. [`normalise`] applies the ones that are on to
//! the tree that a step left behind, and touches only paths which that step made or changed: a
//! base image stays as its maker published it. Which rules ran belongs to the step's key
//! ([`key`]).
//!
//! - A rule's outcome depends on nothing but the two trees and the epoch.
//! - A rule that deletes what a service needs leaves a unit that makes it again at the first boot.
//! - Rules marked [`Stage::Capture`] are carried out while the tree is taken in; they are listed
//!   here so that all of them can be seen and switched in one place.
//! - Steps that copy files in need no rule: everything in them is what the recipe says.

mod apply;
mod boot;
mod caches;
mod context;
mod databases;
mod identity;
mod keystore;
mod leftovers;
mod likely;
mod pacman;
mod rpm;
mod rule;
mod sqlite;

pub use apply::{Applied, finish, key, normalise, spared};
pub use context::Bodies;
pub use likely::{Likely, Reason, Results, Traits, Untried};
pub use rule::{After, RULES, Rule, Spare, Stage};
