//! One result, and the line of a file that keeps it.

use crate::Spread;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Times what rslock did in the same round.
    OfRslock,
    /// Times what the floor did in the same round.
    OfFloor,
    /// Times what a bare mutex did in the same round.
    OfMutex,
    /// Times what something else did in the same round, which the name says.
    Ratio,
    /// Acquisitions a second.
    Rate,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Hundredths.
    Percent,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}

const UNITS: [(Unit, &str); 10] = [
    (Unit::OfRslock, "x rslock"),
    (Unit::OfFloor, "x floor"),
    (Unit::OfMutex, "x mutex"),
    (Unit::Ratio, "x"),
    (Unit::Rate, "/s"),
    (Unit::Millis, "ms"),
    (Unit::Micros, "µs"),
    (Unit::Percent, "%"),
    (Unit::Bytes, "bytes"),
    (Unit::Count, ""),
];

impl Unit {
    /// How it is written after a number.
    pub fn name(self) -> &'static str {
        UNITS.iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        UNITS.iter().find(|(_, known)| *known == name).map(|(unit, _)| *unit)
    }
}

/// One result of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The case, which is the name of its benchmark.
    pub case: String,
    /// What was measured.
    pub name: String,
    /// The median of the rounds, or the one value there is.
    pub spread: Spread,
    /// What it counts.
    pub unit: Unit,
}

impl Figure {
    /// A line of tab-separated fields: case, name, median, low, high, unit.
    pub fn to_line(&self) -> String {
        let Spread { low, median, high } = self.spread;
        format!("{}\t{}\t{median}\t{low}\t{high}\t{}", self.case, self.name, self.unit.name())
    }

    /// What [`to_line`](Self::to_line) wrote.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (case, name) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let mut number = || fields.next()?.parse().ok();
        let spread = Spread { median: number()?, low: number()?, high: number()? };
        Some(Self { case, name, spread, unit: Unit::named(fields.next()?)? })
    }

    /// The median as people write it, with its unit.
    pub fn shown(&self) -> String {
        show(self.spread.median, self.unit)
    }

    /// Where the middle 80% of the rounds lie, if there was more than one.
    pub fn range(&self) -> String {
        let Spread { low, high, .. } = self.spread;
        if low == high { String::new() } else { format!("{} to {}", number(low), number(high)) }
    }
}

/// A value with its unit.
fn show(value: f64, unit: Unit) -> String {
    match unit.name() {
        "" => number(value),
        "%" => format!("{}%", number(value)),
        name => format!("{} {name}", number(value)),
    }
}

/// A value that was chosen, not measured: exactly, with as few digits as that takes.
pub(crate) fn exactly(value: f64, unit: Unit) -> String {
    let text = if value >= 1000. { number(value) } else { value.to_string() };
    match unit.name() {
        "" => text,
        "%" => format!("{text}%"),
        name => format!("{text} {name}"),
    }
}

/// Three digits that mean something, with a comma before each three.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        0.0 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ if size >= 0.0095 => 3,
        _ => 5,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = if size == size.trunc() { "" } else { fraction };
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_as_it_was_written() {
        let spread = Spread { low: 0.5, median: 1.25, high: 3. };
        let figure = Figure { case: "linger".into(), name: "time".into(), spread, unit: Unit::OfFloor };
        assert_eq!(Figure::from_line(&figure.to_line()), Some(figure));
    }

    #[test]
    fn numbers_are_short() {
        let shown = [1_234_567.8, 99.96, 12.34, 1.0, 0.1234, 0.0001, 0.0, 100.0].map(number);
        assert_eq!(shown, ["1,234,568", "100", "12.3", "1", "0.123", "0.00010", "0", "100"]);
    }
}
