//! What happened in a run, counted.

use std::{fmt, ops::AddAssign};

use crate::plan::Fault;

macro_rules! figures {
    ($($name:ident: $text:literal),+ $(,)?) => {
        /// Counts of what happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Figures {
            $(pub $name: u64,)+
            pub faults: [u64; Fault::ALL.len()],
        }

        impl AddAssign for Figures {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
                self.faults.iter_mut().zip(other.faults).for_each(|(sum, more)| *sum += more);
            }
        }

        impl Figures {
            /// What was counted, each with its name.
            pub fn all(&self) -> Vec<(String, u64)> {
                let faults = Fault::ALL.iter().zip(self.faults).map(|(fault, count)| (format!("fault {fault:?}"), count));
                [$(($text.to_owned(), self.$name)),+].into_iter().chain(faults).collect()
            }
        }
    };
}

figures! {
    acquisitions: "acquisitions (turns)",
    scripts: "script runs",
    of_many: "locks asked for or released in a script for many",
    compared: "locks released by a command that compares",
    handed: "hand-overs",
    joined: "holds joined by re-entry",
    renewed: "renewals by hand",
    annotated: "calls of an annotated function",
    guardless: "calls of an annotated function without a guard",
    elsewhere: "requests from an executor without tokio",
    cancelled: "requests and releases cancelled at some await",
    busy: "requests that found the lock taken",
    unavailable: "requests that ended in an error of the store, or by a shutdown",
    lost_turns: "turns that were lost",
    foreign: "locks taken by foreign clients",
    shutdowns: "runtimes shut down in good order",
    lost: "sends into a connection that was gone",
    late: "commands carried out after their connection had ended",
    delayed: "sends delayed",
    late_news: "messages that nobody asked for delayed",
    cut_off: "connections that broke under a request",
    cut_short: "sends cut off in the middle",
    split: "sends split in two",
    refused: "connections refused",
    mute: "connections never answered",
    moved: "requests for slots that another master has",
    asked: "requests for slots that are on their way, sent on to where they go",
    put_off: "requests for slots that are on their way, put off",
    events: "events",
    virtual_ms: "ms of virtual time",
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().into_iter().try_for_each(|(what, count)| writeln!(f, "{count:>14}  {what}"))
    }
}
