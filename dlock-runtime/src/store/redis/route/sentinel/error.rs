//! Why sentinels do not lead to the master, in words that say what is to be changed.

use std::{error::Error, fmt, sync::Arc};

use super::ask::Answer;
use crate::store::{ErrorClass, StoreError, StoreUnusable};

/// The error of answers of which none names the master. Each stands beside the address of its sentinel.
pub(super) fn no_master(master: &str, answers: Vec<(Arc<str>, Answer)>) -> StoreError {
    let first = |of: fn(&Answer) -> bool| answers.iter().find(|(_, answer)| of(answer)).map(|(address, _)| address);
    let reason = if let Some(known) = answers.iter().find_map(|(_, answer)| known(answer)) {
        match known {
            [] => format!("the sentinels know no master `{master}`"),
            names => format!("the sentinels know no master `{master}`, but `{}`", names.join("`, `")),
        }
    } else if first(|answer| matches!(answer, Answer::Silent(_))).is_some() {
        return StoreError::new(ErrorClass::Transient, NoAnswer { master: master.into(), said: Said(answers) });
    } else if let Some(address) = first(|answer| matches!(answer, Answer::NoSentinel(_))) {
        format!("{address} is no sentinel; name the sentinels, who say where `{master}` is")
    } else if let Some(address) = first(|answer| matches!(answer, Answer::Refused(_))) {
        format!("the sentinel at {address} refuses this client; its user and password go into its own URL")
    } else {
        format!("the sentinels know no master `{master}`")
    };
    StoreError::new(ErrorClass::Permanent, StoreUnusable { reason: reason.into(), source: Arc::new(Said(answers)) })
}

fn known(answer: &Answer) -> Option<&[String]> {
    match answer {
        Answer::Unknown(names) => Some(names),
        _ => None,
    }
}

/// The server that the sentinels name is no master, or not yet.
#[derive(Debug)]
pub(super) struct NoMaster {
    pub(super) address: Arc<str>,
    pub(super) role: String,
}

impl fmt::Display for NoMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the sentinels name it, but its role is {}", self.address, self.role)
    }
}

impl Error for NoMaster {}

/// The sentinels name another server meanwhile.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) from: Arc<str>,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the sentinels say that the master is elsewhere now", self.from)
    }
}

impl Error for Moved {}

/// No sentinel can be reached that knows the master.
#[derive(Debug)]
struct NoAnswer {
    master: Box<str>,
    said: Said,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no sentinel says where the master `{}` is: {}", self.master, self.said)
    }
}

impl Error for NoAnswer {}

/// What each of them said.
#[derive(Debug)]
struct Said(Vec<(Arc<str>, Answer)>);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (address, answer)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match answer {
                Answer::NoSentinel(error) | Answer::Refused(error) | Answer::Silent(error) => {
                    write!(f, "{comma}{address}: {error}")?;
                }
                Answer::Unknown(_) => write!(f, "{comma}{address}: no such master")?,
                Answer::Named(_) => write!(f, "{comma}{address}: it knows the master")?,
            }
        }
        Ok(())
    }
}

impl Error for Said {}
