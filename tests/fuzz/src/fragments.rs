//! What options and templates are made of.

use crate::Target;

/// What is put together at random, and into other inputs.
pub(crate) fn of(target: Target) -> &'static [&'static str] {
    match target {
        Target::Options => OPTIONS,
        Target::Templates => TEMPLATES,
    }
}

/// The names of the options, of some that there are not, and of some that other libraries have.
#[rustfmt::skip]
pub(crate) const NAMES: &[&str] = &[
   
    "key", "ttl", "wait", "renew", "max_hold", "on_lost", "or_else", "guard", "when", "label", "reentrant", "runtime", "crate", "warn", "doc",
    "r#key", "r#crate", "tll", "maxhold", "timeout", "lease", "condition", "name", "mode", "keys", "self", "_",
    "colour",
];

/// What can be said of them, right or wrong.
#[rustfmt::skip]
pub(crate) const VALUES: &[&str] = &[
    "\"stock:<id>\"", "\"stock:<id>:<qty>\"", "\"{shop:<id>}\"", "\"<id>-<qty>\"", "\"stock:<order.sku>\"",
    "\"<self.shop>\"", "\"\"", "r\"a\"", "b\"a\"", "c\"a\"", "'c'", "\"a\\nb\"", "\"a <<b>> <id>\"",
    "format!(\"{id}-{qty}\")", "format!(\"stock:<id>\")", "LockKey::from_template(\"<id>\", &[&id])",
    "concat!(\"a\", \"<id>\")", "42", "10", "0", "-1", "2.5", "1_000", "1e3", "0x10", "0b1", "1.",
    "99999999999999999999", "10s", "10u64", "0.000_000_000_1", "\"1500ms\"", "\"19ms\"", "\"20ms\"", "\"1.5 s\"",
    "\"7ns\"", "\"250us\"", "\"250µs\"", "\"2min\"", "\"1h\"", "\"36500d\"", "\"36501d\"", "\"-3s\"", "\"10\"",
    "\"1.2.3s\"", "\"_1s\"", "\".5s\"", "\"forever\"", "\"unbounded\"", "\"forver\"", "forever", "unbounded", "true",
    "false", "(true)", "TTL", "self.ttl", "-offset", "2 * SECOND", "Duration::from_secs(3)", "cancel", "finish",
    "cancle", "\"finish\"", "\"a label\"", "\" \"", "\"366d\"", "lock", "r#type", "id", "qty", "order", "__lock", "__key", "qty > 1", "id == qty",
    "!qty.is_zero()", "matches!(id, 1..=3)", "if qty == 1 { &a } else { &b }", "|_| Err(E::Busy)",
    "|err: LockError, | Err(f::<A, B>(err))", "|a, b| a", "move |e| { return e; }", "E::from",
    "<E as From<LockError>>::from", "::dlock", "crate::locks", "::a::b::<T>::c", "dlock", "\"::dlock\"",
    "&self.runtime", "runtime()", "async { 1 }", "loop { break 'a 1 }", "unsafe { x }", "let a = b", "a = b", "a..",
    "..", "..=b", "return", "break", "yield x", "a as u8", "a?", "a.await", "[1, 2]", "[1; 2]", "(1, 2)", "{ }",
    "{ a; b }", "S { a, ..b }", "match a { _ => b }", "const { 1 }", "static || 1", "_", "&raw const a", "#[a] b",
    "a!{b}", "'a: loop {}", "for<'a> |x: &'a u8| x", "builtin # x", "do yeet 1",
];

/// Between the options, and inside of values.
#[rustfmt::skip]
const OPTIONS: &[&str] = &[
    ",", "=", "==", "=>", "= =", ", ", " = ", ";", "::", ".", "..", "..=", "...", "&", "&&", "|", "||", "!", "?", "#",
    "$", "@", "'", "\"", "<", ">", "<<", ">>", "->", "(", ")", "[", "]", "{", "}", "-", "+", "*", "/", "%", "^", "~",
    "\\", "//", "/* */", "///", "r#", "r\"", "b'", "0", "1", "9", "_", ".0", "e", "s", "ms", "u8", "f32", "if",
    "else", "let", "match", "while", "for", "loop", "in", "as", "dyn", "impl", "fn", "move", "async", "await",
    "unsafe", "mut", "ref", "const", "return", "try", "gen", "become", "where", "extern", "use", "pub", "'a", "\n",
    "\t", "é", "µ", "\u{feff}", "\u{200b}", "\0", "key = \"a\"", "key = \"stock:<id>\", ", "ttl = ", ", wait = ",
    ", guard = g", ", when = ",
];

/// Of templates.
#[rustfmt::skip]
pub(crate) const TEMPLATES: &[&str] = &[
    "<", ">", "<<", ">>", "<>", "<id>", "<qty>", "<order>", "<order.sku>", "<self>", "<self.shop>", "<pair.0>",
    "<pair.1>", "<type>", "<r#type>", "<order.type>", "<order.r#type>", "<order.self>", "<order.crate>", "<pair.01>",
    "<pair.1u8>", "<pair.4294967295>", "<pair.4294967296>", "<pair.0.1>", "<idd>", "<id.>", "<.id>", "<id..a>",
    "< id>", "<id >", "<id:?>", "<id()>", "<1>", "<_>", "<Self>", "<crate>", "<é>", "<id/**/>", "<r#id>", "id", "qty",
    "order", "{", "}", "{}", "{{", "}}", "{id}", "{id:?}", "${id}", "#id", "$qty", "::id", "{<id>}", "{a}", "{shop}", ":", "/", "|", "-", ".", "_", "~", "@",
    "+", "%", "%2", "%2F", "%2f", "%empty", "%C3%A9", "2F", "é", "²", "Ⅷ", "ʰ", "字", "\u{301}", "\u{1F600}", " ", "#",
    ",", "=", "\"", "\\", "'", "\n", "\0", "\u{7f}", "\u{85}", "\u{200b}", "\u{202e}", ":fence", ":queue", ":seen",
    "stock", "stock:", "a", "x", "7", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];
