//! The rules' own values as parts of a state: two are equal if they will judge everything alike from now on.
//!
//! The rules know nothing of states and hashes, so they are compared by what they answer.

use std::hash::{Hash, Hasher};

use crate::{clock::BootTime, fences::Fences, hand_over::HandOverValidity};

/// An [`HandOverValidity`] in a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered(HandOverValidity);

impl Remembered {
    pub(crate) fn request_sent(&mut self, now: BootTime) {
        self.0.request_sent(now);
    }

    pub(crate) fn answered_busy(&mut self, asked: BootTime, floor: u64) {
        self.0.answered_busy(asked, floor);
    }

    pub(crate) fn lease_start(&self, fence: u64) -> Option<BootTime> {
        self.0.lease_start(fence)
    }

    /// From when a lease counts, and the lowest fence that is believed. No fence of the model is above `u8::MAX`.
    fn judgement(&self) -> Option<(BootTime, Option<u64>)> {
        let highest = u64::from(u8::MAX);
        let from = self.0.lease_start(highest)?;
        Some((from, (0..=highest).find(|fence| self.0.lease_start(*fence).is_some())))
    }
}

impl PartialEq for Remembered {
    fn eq(&self, other: &Self) -> bool {
        self.judgement() == other.judgement()
    }
}

impl Eq for Remembered {}

impl Hash for Remembered {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.judgement().hash(hasher);
    }
}

/// The [`Fences`] of a lease in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block(Fences);

impl From<Fences> for Block {
    fn from(fences: Fences) -> Self {
        Self(fences)
    }
}

impl Block {
    pub(crate) fn take(&mut self) -> Option<u8> {
        self.0.take().map(narrow)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn last(&self) -> u8 {
        narrow(self.0.last())
    }

    pub(crate) fn to_return(&self) -> Option<u8> {
        self.0.to_return().map(narrow)
    }
}

impl Hash for Block {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut rest = self.clone();
        while let Some(fence) = rest.take() {
            hasher.write_u8(fence);
        }
        hasher.write_u8(u8::MAX);
    }
}

/// The model's numbers are small, so that states are.
fn narrow(fence: u64) -> u8 {
    u8::try_from(fence).expect("the fences of a run stay below 255")
}
