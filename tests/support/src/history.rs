//! The judge of mutual exclusion: every critical section writes a line when it enters and one when it leaves, and the
//! order of those lines in one append-only file is the order in which things happened. No test relies on a counter
//! that luckily came out right.

use std::{
    collections::HashSet,
    fmt,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// An append-only file of crossings that any number of tasks and processes write to.
#[derive(Debug)]
pub struct History {
    file: File,
    path: PathBuf,
    owned: bool,
}

/// One line of a history: `who`, holding `fence`, went in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// In, or out.
    pub entered: bool,
    /// The task or process.
    pub who: String,
    /// The fence of its lease.
    pub fence: u64,
}

/// What a history must not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// `second` went in while `first` was inside.
    Overlap {
        /// Who was inside.
        first: Crossing,
        /// Who came on top.
        second: Crossing,
    },
    /// `next` went in with a fence that is not above the one before.
    Fence {
        /// The section before.
        previous: Crossing,
        /// The one whose fence does not rise.
        next: Crossing,
    },
    /// Somebody left without having entered, or was still inside at the end.
    Unpaired(Crossing),
}

impl History {
    /// A new file of its own, removed when dropped.
    pub fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dlock-history-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut history = Self::open(&std::env::temp_dir().join(name));
        history.owned = true;
        history
    }

    /// The file that another process created.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a history file");
        Self { file, path: path.to_owned(), owned: false }
    }

    /// Where it is, for other processes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that `who` goes in under `fence`. One write of one line: appends of this size are not torn.
    pub fn enter(&self, who: &str, fence: u64) {
        self.append(&format!("in {who} {fence}\n"));
    }

    /// Notes that `who` goes out.
    pub fn leave(&self, who: &str, fence: u64) {
        self.append(&format!("out {who} {fence}\n"));
    }

    fn append(&self, line: &str) {
        (&self.file).write_all(line.as_bytes()).expect("the history can be written");
    }

    /// All crossings so far.
    pub fn crossings(&self) -> Vec<Crossing> {
        let text = std::fs::read_to_string(&self.path).expect("the history can be read");
        text.lines().map(|line| crossing(line).unwrap_or_else(|| panic!("not a crossing: {line:?}"))).collect()
    }

    /// The number of sections, if no two overlap, fences strictly rise and all who entered left.
    pub fn check(&self) -> Result<usize, Violation> {
        check(&self.crossings(), &HashSet::new())
    }

    /// How often somebody went in while another was inside: what a run without a lock shows.
    pub fn overlaps(&self) -> usize {
        let mut inside = 0_usize;
        let mut overlaps = 0;
        for crossing in self.crossings() {
            overlaps += usize::from(crossing.entered && inside > 0);
            inside = if crossing.entered { inside + 1 } else { inside.saturating_sub(1) };
        }
        overlaps
    }

    /// As [`check`](Self::check), where the workers named in `dead` were killed and may have left nothing behind: from the next entry on
    /// they count as outside.
    pub fn check_without_leaves_of(&self, dead: &[&str]) -> Result<usize, Violation> {
        check(&self.crossings(), &dead.iter().copied().collect())
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if self.owned {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn crossing(line: &str) -> Option<Crossing> {
    let mut words = line.split(' ');
    let entered = match words.next()? {
        "in" => true,
        "out" => false,
        _ => return None,
    };
    Some(Crossing { entered, who: words.next()?.to_owned(), fence: words.next()?.parse().ok()? })
}

fn check(crossings: &[Crossing], dead: &HashSet<&str>) -> Result<usize, Violation> {
    let mut inside: Option<&Crossing> = None;
    let mut previous: Option<&Crossing> = None;
    let mut sections = 0;
    for crossing in crossings {
        if !crossing.entered {
            match inside.take() {
                Some(entry) if entry.who == crossing.who && entry.fence == crossing.fence => continue,
                _ => return Err(Violation::Unpaired(crossing.clone())),
            }
        }
        if let Some(first) = inside
            && !dead.contains(first.who.as_str())
        {
            return Err(Violation::Overlap { first: first.clone(), second: crossing.clone() });
        }
        if let Some(previous) = previous
            && crossing.fence <= previous.fence
        {
            return Err(Violation::Fence { previous: previous.clone(), next: crossing.clone() });
        }
        sections += 1;
        inside = Some(crossing);
        previous = Some(crossing);
    }
    match inside {
        Some(entry) if !dead.contains(entry.who.as_str()) => Err(Violation::Unpaired(entry.clone())),
        _ => Ok(sections),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { first, second } => {
                write!(f, "{} ({}) entered while {} ({}) was inside", second.who, second.fence, first.who, first.fence)
            }
            Self::Fence { previous, next } => {
                write!(f, "{} entered with fence {} after {}", next.who, next.fence, previous.fence)
            }
            Self::Unpaired(crossing) => write!(f, "{} ({}) is unpaired", crossing.who, crossing.fence),
        }
    }
}
