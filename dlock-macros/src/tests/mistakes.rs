//! Every mistake by its text.

use super::{FUNCTION, attribute, errors, mistakes};

/// Options that are wrong in one way, and a part of what is said.
const ONE_EACH: &[(&str, &str)] = &[
    // The list itself.
    ("", "a lock needs a key"),
    ("ttl = 10", "a lock needs a key"),
    ("kye = \"a\"", "did you mean `key`?"),
    ("name = \"a\"", "did you mean `key`?"),
    ("key", "`key` has no value"),
    ("key =", "`key` has no value"),
    ("key: \"a\"", "write `key = ..`"),
    ("key = \"a\", key = \"b\"", "`key` is given twice"),
    ("key = \"a\", ttl = 1, wait = 2, ttl = 3", "`ttl` is given twice"),
    ("key = \"a\", tll = 1", "did you mean `ttl`?"),
    ("key = \"a\", timeout = 1", "did you mean `wait`?"),
    ("key = \"a\", lease = 1", "did you mean `ttl`?"),
    ("key = \"a\", colour = 1", "the options are `key`, `ttl`,"),
    ("key = \"a\", mode = shared", "there is no option `mode`"),
    ("key = \"a\", keys = [\"b\"]", "there is no option `keys`"),
    ("key = \"a\", reentrant", "`reentrant` has no value"),
    ("key = \"a\", ttl =", "`ttl` has no value"),
    ("key = \"a\", ttl = , wait = 1", "`ttl` has no value"),
    ("key = \"a\" ttl = 1", "options are separated by commas"),
    ("\"stock:<id>\", key = \"a\"", "this is the value of no option"),
    ("key = \"a\", ttl = 1 +, wait = 2", "the value of `ttl` cannot be read"),
    // Times.
    ("key = \"a\", ttl = 0", "`ttl` cannot be zero"),
    ("key = \"a\", ttl = \"19ms\"", "`ttl` cannot be shorter than 20 ms"),
    ("key = \"a\", ttl = -1", "`ttl` cannot be negative"),
    ("key = \"a\", wait = -0.5", "`wait` cannot be negative"),
    ("key = \"a\", renew = 0", "write `renew = false`"),
    ("key = \"a\", max_hold = 0", "write `max_hold = \"unbounded\"`"),
    ("key = \"a\", ttl = 99999999999999", "`ttl` is longer than 365 days"),
    ("key = \"a\", ttl = \"366d\"", "`ttl` is longer than 365 days"),
    ("key = \"a\", wait = 99999999999999", "`wait` is longer than a hundred years"),
    ("key = \"a\", renew = \"366d\"", "`renew` is longer than 365 days"),
    ("key = \"a\", renew = \"365d\"", "`renew` must be shorter than `ttl`"),
    ("key = \"a\", renew = \"999us\"", "`renew` cannot be shorter than 1 ms"),
    ("key = \"a\", ttl = 2, renew = \"1978ms\"", "`renew` must be shorter than `ttl` less 1% and 2 ms"),
    ("key = \"a\", ttl = \"20900us\", renew = false, max_hold = \"20500us\"", "it can never be held for `max_hold`"),
    ("key = \"a\", ttl = \"10\"", "`ttl` in quotes needs a unit"),
    ("key = \"a\", ttl = 10s", "write `ttl = \"10s\"`"),
    ("key = \"a\", ttl = true", "`ttl` takes a time"),
    ("key = \"a\", ttl = \"forever\"", "`ttl` takes a time"),
    ("key = \"a\", wait = \"forver\"", "did you mean `\"forever\"`?"),
    ("key = \"a\", wait = forever", "`forever` stands in quotes"),
    ("key = \"a\", max_hold = unbounded", "`unbounded` stands in quotes"),
    ("key = \"a\", ttl = 2, renew = 2", "`renew` must be shorter than `ttl`"),
    ("key = \"a\", renew = \"3s\", ttl = 2", "`renew` must be shorter than `ttl`"),
    ("key = \"a\", ttl = 2, renew = false, max_hold = 3", "it can never be held for `max_hold`"),
    ("key = \"a\", ttl = 2, renew = false, max_hold = \"unbounded\"", "it can never be held for `max_hold`"),
    // Words.
    ("key = \"a\", on_lost = abort", "`on_lost` is `cancel` or `finish`"),
    ("key = \"a\", on_lost = cancle", "did you mean `cancel`?"),
    ("key = \"a\", on_lost = \"finish\"", "write `on_lost = finish`"),
    ("key = \"a\", warn = off", "`warn` is `true` or `false`"),
    ("key = \"a\", warn = \"false\"", "write `warn = false`"),
    ("key = \"a\", warn", "`warn` has no value"),
    ("key = \"a\", warm = false", "did you mean `warn`?"),
    ("key = \"a\", doc = \"Deducts.\"", "`doc` is `true` or `false`"),
    ("key = \"a\", docs = false", "did you mean `doc`?"),
    ("key = \"a\", doc = false, doc = true", "`doc` is given twice"),
    ("key = \"a\", label = \"\"", "`label` cannot be empty"),
    ("key = \"a\", label = \" \"", "`label` cannot be empty"),
    ("key = \"a\", label = stock", "write `label = \"stock\"`"),
    ("key = \"a\", label = 7", "`label` is a string literal"),
    ("key = \"a\", label = b\"stock\"", "`label` is a string literal"),
    ("key = \"a\", label = format!(\"{id}\")", "`label` is a string literal"),
    ("key = \"a\", label", "`label` has no value"),
    ("key = \"a\", lable = \"b\"", "did you mean `label`?"),
    ("key = \"a\", or_else = 0", "`or_else` is called with the `LockError`"),
    ("key = \"a\", reentrant = 1", "`reentrant` is `true` or `false`"),
    ("key = \"a\", guard = \"g\"", "`guard` is the name"),
    ("key = \"a\", guard = self", "`guard` is the name"),
    ("key = \"a\", guard = _", "`guard` is the name"),
    ("key = \"a\", guard = qty", "would hide the parameter `qty`"),
    ("key = \"a\", guard = g, when = qty > 1", "`guard` and `when` exclude each other"),
    ("key = \"a\", crate = dlock", "`crate` is an absolute path"),
    ("key = \"a\", crate = \"::dlock\"", "`crate` is an absolute path"),
    // Templates.
    ("key = \"\"", "a key cannot be empty"),
    ("key = \"a\\nb\"", "a key cannot hold control characters"),
    ("key = \"stock:<idd>\"", "did you mean `<id>`? the parameters are `id` and `qty`"),
    ("key = \"stock:<order.id>\"", "`<order.id>` names no parameter"),
    ("key = \"stock:<self.id>\"", "`<self.id>` names no parameter"),
    ("key = \"<x>:<x>\"", "`<x>` names no parameter"),
    ("key = \"stock:<>\"", "an empty placeholder"),
    ("key = \"stock:<id\"", "the placeholder `<id` is not closed"),
    ("key = \"stock:id>\"", "this `>` closes no placeholder"),
    ("key = \"stock:<id()>\"", "`<id()>` is no path"),
    ("key = \"stock:< id >\"", "`< id >` is no path"),
    ("key = \"stock:<id:?>\"", "`<id:?>` is no path"),
    ("key = \"stock:<id.>\"", "`<id.>` is no path"),
    ("key = \"stock:<id.crate>\"", "`<id.crate>` is no path"),
    ("key = \"stock:<1>\"", "`<1>` is no path"),
    ("key = \"<id><qty>\"", "nothing stands between them"),
    ("key = \"<id>-<qty>\"", "values may hold `-` too"),
    ("key = \"stock:{}\"", "an empty `{}` is no hash tag"),
    ("key = \"{a}{b}\"", "at most one hash tag"),
    ("key = \"{a\"", "no closing `}`"),
    ("key = \"a}\"", "this `}` closes no `{`"),
    ("key = \"{a}}\"", "this `}` closes no `{`"),
    ("key = \"}{a}\"", "this `}` closes no `{`"),
    ("key = \"{{a}}\"", "cannot hold another `{`"),
    ("key = \"stock:{id}\"", "write `\"stock:<id>\"`, or `{<..>}`"),
    ("key = \"{id}:<qty>\"", "write `\"<id>:<qty>\"`, or `{<..>}`"),
    ("key = \"{id}:{qty}\"", "write `\"<id>:<qty>\"`"),
    ("key = \"stock:{{id}}\"", "write `\"stock:<id>\"`"),
    ("key = \"stock:{id:?}\"", "`{id:?}` is literal text, although `id` is a parameter"),
    (
        "key = \"stock:#id\"",
        "write `\"stock:<id>\"`; if it is meant as it stands, `key = LockKey::from(\"stock:#id\")`",
    ),
    ("key = \"stock:#{id}\"", "`#{id}` is literal text"),
    ("key = \"stock:$id\"", "`$id` is literal text"),
    ("key = \"stock:${id}\"", "`${id}` is literal text"),
    ("key = \"stock::id\"", "write `\"stock:<id>\"`"),
    ("key = \"stock/:id\"", "write `\"stock/<id>\"`"),
    ("key = format!(\"stock:<id>:{qty}\")", "`<id>` is a placeholder only where"),
    ("key = concat!(\"stock:\", \"<id>\")", "`<id>` is a placeholder only where"),
    ("key = LockKey::from(\"stock:<id>\")", "`<id>` is a placeholder only where"),
    ("key = \"{a}:fence\"", "cannot end in `:fence`"),
    ("key = \"{a}:seen\"", "cannot end in `:seen`"),
    // Half typed, or as elsewhere.
    ("key = \"a\", ttl 10", "`ttl` and its value are joined by `=`"),
    ("key = \"a\", ttl: 10, wait = 1", "write `ttl = ..`"),
    ("key = \"a\", ttl == 10", "write `ttl = ..`"),
    ("key = \"a\", ttl(10)", "write `ttl = ..`"),
    ("key = \"a\", max-hold = 60", "write `max_hold`"),
    ("key = \"a\", guard = mut lock", "write `guard = lock`"),
    ("key = \"a\", renew = \"false\"", "write `renew = false`"),
    ("key = \"a\", reentrant = \"true\"", "write `reentrant = true`"),
    ("key = \"a\", ttl = 1e400", "without an exponent"),
    ("key = \"a\", ttl = \"1,5s\"", "write `\"1.5s\"`"),
    ("key = \"a\", wait = \"99999999999999999999h\"", "write a shorter one"),
    ("key = \"a\", when = S { &b }", "the value of `when` cannot be read"),
    ("key = \"a\", when = f(1 +), ttl = 2", "the value of `when` cannot be read"),
];

#[test]
fn one_mistake_gives_one_message_with_its_rule_and_its_cure() {
    for (args, part) in ONE_EACH {
        let messages = mistakes(args);
        assert_eq!(messages.len(), 1, "{args}: {messages:?}");
        assert!(messages[0].contains(part), "{args}: {}", messages[0]);
        let (rule, help) = messages[0].split_once("\nhelp: ").unwrap_or_else(|| panic!("{args}: no help"));
        assert!(!rule.is_empty() && !help.is_empty(), "{args}");
    }
}

#[test]
fn what_is_right_is_accepted() {
    for args in [
        "key = \"stock:<id>\"",
        "key = \"stock:<id>\",",
        "key = \"a <<literal>> bracket\"",
        "key = \"<<<id>>>\"",
        "key = \"{shop}:<id>:<qty>\"",
        "key = \"{shop:<id>}<qty>\"",
        "key = \"<id>:<id>\"",
        "key = \"stock:id\"",
        "key = \"{shop}:id\"",
        "key = \"stock:#id:<id>\"",
        "key = \"stock:#ids\"",
        "key = \"{id:1000}\"",
        "key = LockKey::from(\"stock:{id}\")",
        "key = \"a\", ttl = \"20ms\"",
        "key = \"a\", ttl = \"365d\", wait = \"366d\", max_hold = \"366d\"",
        "key = \"a\", wait = 0, renew = true",
        "key = \"a\", renew = 30",
        "key = \"a\", ttl = 2, renew = \"1977ms\"",
        "key = \"a\", ttl = 2, renew = false, max_hold = 2",
        "key = \"a\", ttl = TTL, renew = false, max_hold = \"unbounded\"",
        "key = \"a\", max_hold = \"2h\"",
        "key = \"a\", or_else = |err: LockError, | Err(f::<A, B>(err)), wait = 1",
        "key = 42",
        "key = format!(\"{id}-{qty}\")",
        "key = id == qty",
        "key = LockKey::from_template(\"<id>\", &[&id])",
        "key = \"a\", crate = crate::locks",
        "key = \"a\", runtime = if qty == 1 { &a } else { &b }",
        "key = \"a\", guard = r#type",
        "key = f(id), label = \"orders of a shop\"",
        "key = \"a\", label = (r\"<id>\")",
        "key = \"a\", warn = false, doc = (false)",
        "key = \"a\", warn = true, doc = true",
    ] {
        assert_eq!(mistakes(args), Vec::<String>::new(), "{args}");
    }
}

#[test]
fn independent_mistakes_come_together() {
    let args = "ttl = 0, wiat = 3, key = \"<idd>-<qty>\", on_lost = abort, guard, reentrant = 2";
    let messages = mistakes(args);
    assert_eq!(messages.len(), 7, "{messages:#?}");
    let both = errors(attribute("ttl = 0", "fn blocking() {}"));
    assert_eq!(both.len(), 3, "the options' and the function's: {both:#?}");
}

#[test]
fn the_item_is_handed_back_beside_the_errors() {
    for (args, item) in [("", FUNCTION), ("key = \"a\"", "fn blocking() { 1 + }"), ("key = 1", "struct NotAFunction;")]
    {
        let tokens = attribute(args, item).to_string();
        let item: proc_macro2::TokenStream = item.parse().expect("tokens");
        assert!(tokens.contains("compile_error"), "{tokens}");
        assert!(tokens.ends_with(&item.to_string()), "{tokens}");
    }
}

#[test]
fn what_cannot_hold_a_lock_is_told_why() {
    for (item, part) in [
        ("fn f() -> u8 { 1 }", "write `async fn`"),
        ("const fn f() -> u8 { 1 }", "a `const fn` cannot wait"),
        ("async fn f();", "a function without a body"),
        ("fn f() -> u8;", "a function without a body"),
        ("struct S;", "only a function"),
        ("impl S { async fn f() {} }", "only a function"),
        ("pub mod m {}", "only a function"),
        ("const X: u8 = 1;", "only a function"),
        ("unsafe impl Send for S {}", "only a function"),
        ("#[test] fn f() { }", "move it below"),
        ("fn main() { runtime().block_on(async {}) }", "move it below"),
        ("fn f() -> impl Future<Output = u8> { async { 1 } }", "write `async fn` and the type"),
        (
            "fn f() -> Pin<Box<dyn Future<Output = u8>>> { let x = 1; Box::pin(async move { x }) }",
            "if its whole body is one",
        ),
        ("fn f(id: u8) -> impl Future<Output = u8> { let x = id; async move { x } }", "if its whole body is one"),
    ] {
        let messages = errors(attribute("key = \"a\"", item));
        assert_eq!(messages.len(), 1, "{item}: {messages:?}");
        assert!(messages[0].contains(part), "{item}: {}", messages[0]);
        assert!(messages[0].contains("\nhelp: "), "{item}: {}", messages[0]);
    }
}
