//! Times as people write them: `10` and `2.5` are seconds, `"1500ms"` carries its unit, anything else is an expression.
//!
//! Literals become a `Duration` while compiling, so a zero, negative or absurd one is refused there and costs nothing later.

use std::time::Duration;

use syn::{Expr, Lit, UnOp};

use crate::mistake::mistake;

/// The longest time that an option takes, and how that is said.
pub(crate) struct Longest {
    pub(crate) time: Duration,
    pub(crate) said: &'static str,
}

/// Each unit with its length in nanoseconds.
const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const SECOND: u64 = 1_000_000_000;

/// The time that a literal says; `None` for an expression, which only the program can evaluate.
pub(crate) fn literal(option: &str, value: &Expr, longest: &Longest) -> syn::Result<Option<Duration>> {
    match value {
        Expr::Group(group) => literal(option, &group.expr, longest),
        Expr::Paren(paren) => literal(option, &paren.expr, longest),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) && is_number(&unary.expr) => {
            Err(mistake(value, format!("`{option}` cannot be negative"), "a number is a count of seconds from zero up"))
        }
        Expr::Lit(expr) => match &expr.lit {
            Lit::Int(number) if number.suffix().is_empty() => {
                seconds(option, value, number.base10_digits(), longest).map(Some)
            }
            Lit::Float(number) if number.suffix().is_empty() => {
                seconds(option, value, number.base10_digits(), longest).map(Some)
            }
            Lit::Int(number) => Err(suffixed(option, value, number.base10_digits(), number.suffix())),
            Lit::Float(number) => Err(suffixed(option, value, number.base10_digits(), number.suffix())),
            Lit::Str(text) => with_unit(option, value, &text.value(), longest).map(Some),
            _ => Err(no_time(option, value)),
        },
        _ => Ok(None),
    }
}

fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(expr) => matches!(expr.lit, Lit::Int(_) | Lit::Float(_)),
        Expr::Group(group) => is_number(&group.expr),
        Expr::Paren(paren) => is_number(&paren.expr),
        _ => false,
    }
}

/// `10`, `2.5`
fn seconds(option: &str, at: &Expr, digits: &str, longest: &Longest) -> syn::Result<Duration> {
    if digits.contains(['e', 'E']) {
        return Err(mistake(at, "a time is written without an exponent", format!("write `{option} = 10` or `2.5`")));
    }
    let nanos = exact(option, at, digits, SECOND)?;
    longest.bound(option, at, nanos, "a bare number counts seconds; write `\"1500ms\"` for milliseconds")
}

/// `"1500ms"`, `"1.5 s"`: a number, then its unit.
fn with_unit(option: &str, at: &Expr, text: &str, longest: &Longest) -> syn::Result<Duration> {
    let text = text.trim();
    if let Some(positive) = text.strip_prefix('-')
        && positive.starts_with(|first: char| first.is_ascii_digit())
    {
        return Err(mistake(
            at,
            format!("`{option}` cannot be negative"),
            format!("write `\"{positive}\"` for a time from now on"),
        ));
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(no_time(option, at));
    }
    if let Some(decimals) = unit.strip_prefix(',')
        && decimals.starts_with(|first: char| first.is_ascii_digit())
    {
        return Err(mistake(
            at,
            "a decimal fraction follows a `.`",
            format!("write `\"{number}.{}\"`", decimals.trim()),
        ));
    }
    if unit.is_empty() {
        return Err(mistake(
            at,
            format!("`{option}` in quotes needs a unit"),
            format!("write `{number}` or `\"{number}s\"` for seconds, `\"{number}ms\"` for milliseconds"),
        ));
    }
    match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, unit)) => {
            let nanos = exact(option, at, number, *unit)?;
            longest.bound(option, at, nanos, "write a shorter one; the lock is renewed while the function runs")
        }
        None => Err(mistake(
            at,
            format!("`{unit}` is no unit of time"),
            "the units are `ms`, `s`, `m`, `h` and `d`, and `ns` and `us` below them",
        )),
    }
}

/// `number` times `unit` in whole nanoseconds, by decimal digits: through `f64` a time would depend on its rounding.
fn exact(option: &str, at: &Expr, number: &str, unit: u64) -> syn::Result<u128> {
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return Err(no_time(option, at));
    }
    let mut nanos = whole.parse::<u128>().unwrap_or(u128::MAX).saturating_mul(u128::from(unit));
    let mut place = u128::from(unit);
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.saturating_add(u128::from(digit - b'0') * place);
    }
    Ok(nanos)
}

impl Longest {
    fn bound(&self, option: &str, at: &Expr, nanos: u128, help: &str) -> syn::Result<Duration> {
        if nanos > self.time.as_nanos() {
            return Err(mistake(at, format!("`{option}` is longer than {}", self.said), help));
        }
        let seconds = u64::try_from(nanos / u128::from(SECOND)).unwrap_or(u64::MAX);
        let rest = u32::try_from(nanos % u128::from(SECOND)).unwrap_or(0);
        Ok(Duration::new(seconds, rest))
    }
}

/// `10s` and `10u64`: the compiler hands us the letters as a suffix of the literal.
fn suffixed(option: &str, at: &Expr, digits: &str, suffix: &str) -> syn::Error {
    if UNITS.iter().any(|(name, _)| *name == suffix) {
        mistake(at, "a time with a unit stands in quotes", format!("write `{option} = \"{digits}{suffix}\"`"))
    } else {
        mistake(
            at,
            format!("`{option}` is a time, and `{suffix}` is no unit of time"),
            format!("write `{option} = {digits}` for seconds"),
        )
    }
}

fn no_time(option: &str, at: &Expr) -> syn::Error {
    mistake(
        at,
        format!("`{option}` takes a time, which this is not"),
        "write seconds (`10`, `2.5`), a number with its unit (`\"1500ms\"`), or an expression that gives a `Duration`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Duration>, String> {
        let value: Expr = syn::parse_str(text).expect("an expression");
        let longest = Longest { time: Duration::from_secs(100 * 365 * 24 * 60 * 60), said: "a hundred years" };
        literal("ttl", &value, &longest).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_seconds_and_strings_carry_their_unit() {
        for (text, nanos) in [
            ("10", 10_000_000_000),
            ("1_000", 1_000_000_000_000),
            ("2.5", 2_500_000_000),
            ("0.1", 100_000_000),
            ("0", 0),
            ("(3)", 3_000_000_000),
            ("\"1500ms\"", 1_500_000_000),
            ("\"1.5 s\"", 1_500_000_000),
            ("\"250us\"", 250_000),
            ("\"7ns\"", 7),
            ("\"2m\"", 120_000_000_000),
            ("\"2min\"", 120_000_000_000),
            ("\"1h\"", 3_600_000_000_000),
            ("\"1d\"", 86_400_000_000_000),
        ] {
            assert_eq!(read(text), Ok(Some(Duration::from_nanos(nanos))), "{text}");
        }
    }

    #[test]
    fn expressions_are_left_to_the_program() {
        for text in ["TTL", "Duration::from_secs(3)", "-offset", "2 * SECOND", "self.ttl"] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_a_cure() {
        for text in [
            "-1",
            "-2.5",
            "-(1)",
            "\"-3s\"",
            "\"10\"",
            "\"ten\"",
            "\"\"",
            "\"10 parsecs\"",
            "\"1.2.3s\"",
            "10s",
            "10u64",
            "1e3",
            "1E400",
            "\"1,5s\"",
            "true",
            "'c'",
            "b\"1s\"",
            "99999999999999999999999999999999999999999",
            "4000000000",
            "\"99999d\"",
        ] {
            let message = read(text).expect_err(text);
            assert!(message.contains("\nhelp: "), "{text}: {message}");
        }
    }
}
