//! The report: every figure beside its goal, and a chart.

use std::{fmt::Write, fs, path::PathBuf};

use crate::{
    Figure, Outcome,
    bench::{brief, folder},
    bounds, chart,
    goals::GOALS,
    machine,
};

/// The cases in the order of the report, and what each does.
const CASES: [(&str, &str); 13] = [
    ("hot_key_one_process", "One process, 64 and 256 tasks, one key, empty body"),
    ("hot_key_processes", "Four processes of 16 tasks, one key"),
    ("hot_key_single_tasks", "Four processes of one task, one key"),
    ("waiters", "Four processes with 1, 4 and 16 runtimes of one task each, one key"),
    ("hand_over", "A process holds for 50 ms, another one waits: from release begun to acquired"),
    ("uncontended", "One task, distinct keys"),
    ("linger", "One task, the same key, an idle lease is kept"),
    ("many_keys", "64 and 512 tasks, 10,000 keys at random"),
    ("cluster", "Three masters beside one server: 64 tasks on 10,000 keys, hand-over between two runtimes"),
    ("cancellation", "1,000 acquires cancelled at random moments, 1,000 guards dropped"),
    ("leases", "100,000 leases held and renewed by one process for 60 s, ttl 10 s"),
    ("attribute", "The attribute beside the same call by hand"),
    ("compile_times", "Compiling 1,000 annotated functions, beside the same calls by hand"),
];

const METHOD: &str = "\
The *floor* is `SET NX PX` and a compare-and-delete script through the redis crate, on one connection. *rslock* is
version 0.10 with its defaults. Every side has `TCP_NODELAY` set. All sides of a case take turns in short rounds of one
run on one fresh server; \"x rslock\" is a ratio within a round. A figure is the median of the rounds, beside it stands
where the middle 80% of them lie. Rounds last for a fixed time, those of *fixed work* until each task has had the lock 50
times. Client commands are those that a client sent, not those that a script ran.
";

/// Writes the report from what the cases kept.
///
/// # Errors
/// If there is nothing to report, or no place for it.
pub fn write() -> Outcome<()> {
    let mut figures = Vec::new();
    for (case, _) in CASES {
        // A case that was not run is missing from the report, and its goals say so.
        let lines = fs::read_to_string(folder()?.join(case).with_extension("tsv")).unwrap_or_default();
        figures.extend(lines.lines().filter_map(Figure::from_line));
    }
    let place = if brief() { folder()? } else { PathBuf::from(env!("CARGO_MANIFEST_DIR")) };
    let report = place.join("REPORT.md");
    let before = fs::read_to_string(&report).unwrap_or_default();
    fs::write(&report, page(&figures, &machine::describe())?)?;
    fs::write(place.join("report.svg"), chart::draw(&figures)?)?;
    println!("\nwrote {} and report.svg beside it", report.display());
    for Figure { case, name, .. } in no_longer_reached(&before, &figures) {
        println!("NO LONGER REACHED, as it was in the report before: {case}, {name}");
    }
    Ok(())
}

/// Whose goals the page `before` says were reached and are not any more: a fault that no test sees can show here alone.
fn no_longer_reached<'a>(before: &str, figures: &'a [Figure]) -> Vec<&'a Figure> {
    let (mut case, mut reached) = ("", Vec::new());
    for line in before.lines() {
        match line.split('|').map(str::trim).collect::<Vec<_>>()[..] {
            ["", name, "figure", ..] => case = name,
            ["", name, .., "reached", ""] => reached.push((case, name)),
            _ => {}
        }
    }
    figures.iter().filter(|figure| figure.is_missed() && reached.contains(&(&*figure.case, &*figure.name))).collect()
}

fn page(figures: &[Figure], machine: &str) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    writeln!(page, "# Benchmarks\n")?;
    writeln!(page, "`cargo bench -p dlock-benches` wrote this page. {machine}.\n")?;
    writeln!(page, "![dlock beside rslock, a bare mutex and the floor](report.svg)\n")?;
    page.push_str(METHOD);
    for (case, about) in CASES {
        let mut mine = figures.iter().filter(|figure| figure.case == case).peekable();
        writeln!(page, "\n## {about}\n")?;
        if mine.peek().is_none() {
            writeln!(page, "Not measured.")?;
            continue;
        }
        writeln!(page, "| {case} | figure | rounds | goal | |\n|---|--:|--:|--:|---|")?;
        let why = bounds::of(case).filter(|_| mine.clone().any(Figure::is_missed));
        for figure in mine {
            let (goal, verdict) = match figure.goal() {
                Some(bound) if bound.is_met(figure.spread.median) => (bound.shown(figure.unit), "reached"),
                Some(bound) => (bound.shown(figure.unit), "**not reached**"),
                None => (String::new(), ""),
            };
            writeln!(page, "| {} | {} | {} | {goal} | {verdict} |", figure.name, figure.shown(), figure.range())?;
        }
        if let Some(why) = why {
            writeln!(page, "\n*What bounds it.* {why}")?;
        }
    }
    let measured = |case: &str, name: &str| figures.iter().any(|figure| figure.case == case && figure.name == name);
    let missing = GOALS.iter().filter(|(case, name, _)| !measured(case, name));
    let missing = missing.map(|(case, name, _)| format!("- {case}: {name}\n")).collect::<String>();
    if !missing.is_empty() {
        write!(page, "\n## Goals without a figure\n\n{missing}")?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Spread, figure::Unit};

    #[test]
    fn a_goal_that_was_reached_before_is_named() {
        let figure = |case: &str, name: &str, value| {
            let spread = Spread { low: value, median: value, high: value };
            Figure { case: case.to_owned(), name: name.to_owned(), spread, unit: Unit::Count }
        };
        let figures = |waiters| {
            [figure("waiters", "client commands: 64 waiters beside 4", waiters), figure("leases", "lost", 0.)]
        };
        let (good, bad) = (figures(1.), figures(2.));
        let [well, badly] = [&good, &bad].map(|figures| page(figures, "a machine").expect("text"));
        assert_eq!(no_longer_reached(&well, &bad), [&bad[0]]);
        assert!(no_longer_reached(&badly, &bad).is_empty(), "it was not reached before");
        assert!(no_longer_reached(&badly, &good).is_empty() && no_longer_reached("", &bad).is_empty());
    }
}
